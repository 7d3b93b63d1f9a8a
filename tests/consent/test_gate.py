"""The gate as a table and as properties: which rule speaks, and what no combination of facts can get past it (I4, I9)."""

import dataclasses
import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.billing.ports import Standing
from hub.consent import gate
from hub.consent.facts import CapReached, Facts
from hub.core import ids
from hub.core.i18n import LOCALES, catalogue

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
REPLY = gate.Request(purpose="reply")
RULES = (
    "organisation_inactive",
    "contract_inactive",
    "channel_blocked",
    "messenger_ended",
    "not_approved",
    "terms_overdue",
    "channel_off",
    "channel_failing",
    "channel_attention",
    "cap_reached",
    "human_missing",
    "barred",
    "person_blocked",
    "opted_out",
    "already_told",
    "marketing_stopped",
    "purpose_archived",
    "no_consent",
    "opt_in_needed",
    "frequency_cap",
    "quiet_hours",
    "template_needed",
    "human_only",
    "window_closed",
    "content_review",
)
ALLOWS = ("reply", "welcome", "template", "human_agent", "granted", "overridden", "opt_in_request", "opt_out_receipt")


def facts(**values: Any) -> Facts:
    """A healthy channel and a person who wrote an hour ago."""
    usual: dict[str, Any] = {
        "organisation_state": "active",
        "standing": "active",
        "channel_state": "on",
        "block_reason": "",
        "ended_at": None,
        "approval": "",
        "terms_due_at": None,
        "health": "healthy",
        "health_cause": "",
        "health_until": None,
        "bar_at": None,
        "choice": "none",
        "choice_at": None,
        "told_at": None,
        "marketing": "free",
        "reach": "reachable",
        "reach_at": None,
        "grant": "unknown",
        "grant_at": None,
        "grant_seq": None,
        "overridden_until": None,
        "overridden_seq": None,
        "is_offered": True,
        "recent": 0,
        "most": None,
        "most_days": 7,
        "quiet": None,
        "zone": "Europe/Berlin",
        "last_inbound_at": NOW - timedelta(hours=1),
        "reply_window_hours": None,
        "human_agent_days": 0,
        "templates": False,
        "opt_in_always": False,
        "service_opt_in": False,
        "now": NOW,
    }
    return Facts(**(usual | values))


TOMORROW = NOW + timedelta(hours=14)
QUEUES = CapReached("channel", 1000, "day", TOMORROW, waits=True)
REFUSES = CapReached("recipient", 3, "hour", TOMORROW, waits=False)


@pytest.mark.parametrize(
    ("known", "verdict", "rule"),
    [
        ({}, "allow", "reply"),
        ({"organisation_state": "suspended"}, "refuse", "organisation_inactive"),
        ({"standing": "trial"}, "allow", "reply"),
        ({"standing": "trial_ended"}, "refuse", "contract_inactive"),
        ({"channel_state": "off"}, "refuse", "channel_off"),
        ({"channel_state": "blocked", "block_reason": "law"}, "refuse", "channel_blocked"),
        ({"ended_at": NOW + timedelta(seconds=1)}, "allow", "reply"),
        ({"ended_at": NOW}, "refuse", "messenger_ended"),
        ({"approval": "approved"}, "allow", "reply"),
        ({"approval": "applied"}, "refuse", "not_approved"),
        ({"approval": "revoked"}, "refuse", "not_approved"),
        ({"terms_due_at": NOW + timedelta(seconds=1)}, "allow", "reply"),
        ({"terms_due_at": NOW}, "refuse", "terms_overdue"),
        ({"health": "failing", "health_until": NOW + timedelta(minutes=3)}, "defer", "channel_failing"),
        ({"health": "failing", "health_until": NOW}, "allow", "reply"),
        ({"health": "attention"}, "defer", "channel_attention"),
        ({"cap": QUEUES}, "defer", "cap_reached"),
        ({"cap": REFUSES}, "refuse", "cap_reached"),
        ({"human_missing": True}, "allow", "reply"),
        ({"reach": "blocked", "reach_at": NOW}, "refuse", "person_blocked"),
        ({"choice": "opted_out", "choice_at": NOW}, "refuse", "opted_out"),
        # the word itself is the person's last message: it opens no reply
        ({"choice": "opted_out", "choice_at": NOW, "last_inbound_at": NOW}, "refuse", "opted_out"),
        ({"choice": "opted_out", "choice_at": NOW - timedelta(hours=2)}, "allow", "reply"),
        ({"reply_window_hours": 24, "last_inbound_at": NOW - timedelta(hours=23, minutes=59, seconds=59)}, "allow", "reply"),
        ({"reply_window_hours": 24, "last_inbound_at": NOW - timedelta(hours=24)}, "refuse", "window_closed"),
        ({"reply_window_hours": 24, "last_inbound_at": None, "choice": "opted_in"}, "refuse", "window_closed"),
        ({"last_inbound_at": None}, "refuse", "opt_in_needed"),
        ({"last_inbound_at": None, "choice": "opted_in"}, "allow", "reply"),
        ({"bar_at": NOW}, "refuse", "barred"),
        # Viber: no answer without an opt-in, and only a new one lifts a stop
        ({"opt_in_always": True}, "refuse", "opt_in_needed"),
        ({"opt_in_always": True, "choice": "opted_in"}, "allow", "reply"),
        ({"opt_in_always": True, "grant": "granted"}, "allow", "reply"),
        ({"opt_in_always": True, "choice": "opted_out", "choice_at": NOW - timedelta(hours=2)}, "refuse", "opted_out"),
    ],
)
def test_which_rule_speaks(known: dict[str, Any], verdict: str, rule: str) -> None:
    decision = gate.decide(facts(**known), REPLY)
    assert (decision.verdict, decision.rule) == (verdict, rule)


CLOSED = {"reply_window_hours": 24, "last_inbound_at": NOW - timedelta(days=2)}
TEMPLATE = gate.Request(purpose="reply", form="template")
NEWSLETTER = ids.new_id()
ADVERTISING = gate.Request(purpose="marketing", purpose_id=NEWSLETTER, form="template", by="program")
SERVICE = gate.Request(purpose="service", purpose_id=NEWSLETTER, form="template", by="program")
RECEIPT = gate.Request(purpose="opt_out_receipt", by="program")
QUESTION = gate.Request(purpose="opt_in_request", by="program")
SUSPECT = gate.Request(purpose="reply", findings=("rival:Telegram",))
WELCOME = gate.Request(purpose="welcome", by="program")
PROGRAM = gate.Request(purpose="reply", by="program")


@pytest.mark.parametrize(
    ("known", "request_", "verdict", "rule"),
    [
        # after the reply window only what the messenger leaves open
        (CLOSED | {"templates": True}, REPLY, "refuse", "template_needed"),
        (CLOSED | {"templates": True}, TEMPLATE, "allow", "template"),
        (CLOSED, TEMPLATE, "refuse", "window_closed"),
        (CLOSED | {"human_agent_days": 7}, REPLY, "allow", "human_agent"),
        (CLOSED | {"human_agent_days": 7}, PROGRAM, "refuse", "human_only"),
        (CLOSED | {"human_agent_days": 7, "templates": True}, REPLY, "allow", "human_agent"),
        (CLOSED | {"human_agent_days": 2, "templates": True}, REPLY, "refuse", "template_needed"),
        (CLOSED | {"human_agent_days": 2, "templates": True}, TEMPLATE, "allow", "template"),
        (CLOSED | {"human_agent_days": 2}, REPLY, "refuse", "window_closed"),
        (
            {"reply_window_hours": 24, "last_inbound_at": None, "human_agent_days": 7, "choice": "opted_in"},
            REPLY,
            "refuse",
            "window_closed",
        ),
        ({"reply_window_hours": 24, "human_agent_days": 7}, REPLY, "allow", "reply"),
        ({"reply_window_hours": 24, "templates": True}, TEMPLATE, "allow", "reply"),
        # the first word, advertising and a greeting need an opt-in
        ({"reply_window_hours": 24, "templates": True, "last_inbound_at": None}, TEMPLATE, "refuse", "opt_in_needed"),
        (
            {"reply_window_hours": 24, "templates": True, "last_inbound_at": None, "choice": "opted_in"},
            TEMPLATE,
            "allow",
            "template",
        ),
        # advertising needs a living grant of its purpose, on every messenger
        ({"templates": True}, ADVERTISING, "refuse", "no_consent"),
        ({"templates": True, "choice": "opted_in"}, ADVERTISING, "refuse", "no_consent"),
        ({"grant": "asked"}, ADVERTISING, "refuse", "no_consent"),
        ({"grant": "withdrawn"}, ADVERTISING, "refuse", "no_consent"),
        ({"grant": "granted"}, ADVERTISING, "allow", "granted"),
        (CLOSED | {"templates": True, "grant": "granted"}, ADVERTISING, "allow", "granted"),
        ({"grant": "granted", "is_offered": False}, ADVERTISING, "refuse", "purpose_archived"),
        ({"grant": "granted", "marketing": "stopped"}, ADVERTISING, "refuse", "marketing_stopped"),
        ({"grant": "granted", "bar_at": NOW}, ADVERTISING, "refuse", "barred"),
        # a stop holds against all but answers, even when the person wrote since
        ({"choice": "opted_out", "choice_at": NOW - timedelta(hours=2)}, ADVERTISING, "refuse", "opted_out"),
        ({"choice": "opted_out", "choice_at": NOW - timedelta(hours=2)}, SERVICE, "refuse", "opted_out"),
        # service messages need an opt-in first of all, and after the window where the policy says so
        ({"last_inbound_at": None, "templates": True}, SERVICE, "refuse", "opt_in_needed"),
        ({"last_inbound_at": None, "templates": True, "grant": "granted"}, SERVICE, "allow", "granted"),
        (CLOSED | {"templates": True}, SERVICE, "allow", "template"),
        (CLOSED | {"templates": True, "service_opt_in": True}, SERVICE, "refuse", "opt_in_needed"),
        # how often and when: advertising alone
        ({"grant": "granted", "most": 4, "recent": 3}, ADVERTISING, "allow", "granted"),
        ({"grant": "granted", "most": 4, "recent": 4}, ADVERTISING, "refuse", "frequency_cap"),
        ({"most": 4, "recent": 4}, REPLY, "allow", "reply"),
        ({"grant": "granted", "quiet": (time(20), time(8))}, ADVERTISING, "allow", "granted"),  # 10:00 in Berlin
        ({"grant": "granted", "quiet": (time(20), time(8)), "zone": "America/New_York"}, ADVERTISING, "defer", "quiet_hours"),
        ({"quiet": (time(20), time(8)), "zone": "America/New_York"}, REPLY, "allow", "reply"),
        # an override lifts the missing consent and nothing else
        ({"overridden_until": NOW + timedelta(hours=1)}, ADVERTISING, "allow", "overridden"),
        ({"overridden_until": NOW}, ADVERTISING, "refuse", "no_consent"),
        ({"overridden_until": NOW + timedelta(hours=1), "opt_in_always": True}, ADVERTISING, "refuse", "no_consent"),
        (
            {"overridden_until": NOW + timedelta(hours=1), "choice": "opted_out", "choice_at": NOW},
            ADVERTISING,
            "refuse",
            "opted_out",
        ),
        # that a stop is heard is said once (issue 5, 4), and never where an opt-in is always needed
        ({"choice": "opted_out", "choice_at": NOW}, RECEIPT, "allow", "opt_out_receipt"),
        ({"choice": "opted_out", "choice_at": NOW, "told_at": NOW}, RECEIPT, "refuse", "already_told"),
        ({"choice": "opted_out", "choice_at": NOW, "told_at": NOW - timedelta(days=1)}, RECEIPT, "allow", "opt_out_receipt"),
        ({"choice": "opted_out", "choice_at": NOW, "opt_in_always": True}, RECEIPT, "refuse", "opted_out"),
        # the question whether they agree: to who was signed up, and to nobody who said stop
        ({"grant": "asked"}, QUESTION, "allow", "opt_in_request"),
        ({"grant": "unknown"}, QUESTION, "refuse", "opt_in_needed"),
        ({"grant": "asked", "choice": "opted_out", "choice_at": NOW}, QUESTION, "refuse", "opted_out"),
        ({"grant": "asked", "opt_in_always": True}, QUESTION, "refuse", "opt_in_needed"),
        # what looks like advertising for a rival waits for a second person
        ({}, SUSPECT, "hold", "content_review"),
        ({"channel_state": "off"}, SUSPECT, "refuse", "channel_off"),
        ({"templates": True, "marketing": "stopped"}, REPLY, "allow", "reply"),
        ({}, WELCOME, "refuse", "opt_in_needed"),
        ({"choice": "opted_in", "last_inbound_at": None, "reply_window_hours": 24}, WELCOME, "allow", "welcome"),
        ({"choice": "opted_in", "reach": "blocked"}, WELCOME, "refuse", "person_blocked"),
        # where a person must be able to take over, no program writes while nobody is there
        ({"human_missing": True}, PROGRAM, "refuse", "human_missing"),
        ({"human_missing": True, "choice": "opted_in"}, WELCOME, "refuse", "human_missing"),
        ({"choice": "opted_in", "channel_state": "off"}, WELCOME, "refuse", "channel_off"),
    ],
)
def test_what_may_go_when(known: dict[str, Any], request_: gate.Request, verdict: str, rule: str) -> None:
    decision = gate.decide(facts(**known), request_)
    assert (decision.verdict, decision.rule) == (verdict, rule)


def test_a_deferred_message_knows_when_it_is_asked_again() -> None:
    until = NOW + timedelta(minutes=3)
    assert gate.decide(facts(health="failing", health_until=until), REPLY).until == until
    waiting = gate.decide(facts(health="attention"), REPLY).until
    assert waiting is not None and waiting > NOW
    assert gate.decide(facts(cap=QUEUES), REPLY).until == TOMORROW


instants = st.integers(-30 * 86_400, 30 * 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds))
moments = st.none() | instants
any_facts = st.builds(
    Facts,
    organisation_state=st.sampled_from(["active", "suspended", "ended"]),
    standing=st.sampled_from(list(Standing)),
    channel_state=st.sampled_from(["on", "off", "blocked"]),
    block_reason=st.text(max_size=5),
    ended_at=moments,
    approval=st.sampled_from(["", "applied", "approved", "refused", "revoked"]),
    terms_due_at=moments,
    health=st.sampled_from(["healthy", "failing", "attention"]),
    health_cause=st.text(max_size=5),
    health_until=moments,
    bar_at=moments,
    choice=st.sampled_from(["none", "opted_in", "opted_out"]),
    choice_at=moments,
    told_at=moments,
    marketing=st.sampled_from(["free", "stopped"]),
    reach=st.sampled_from(["reachable", "blocked"]),
    reach_at=moments,
    grant=st.sampled_from(["unknown", "asked", "granted", "withdrawn"]),
    grant_at=moments,
    grant_seq=st.none() | st.integers(1, 9),
    overridden_until=moments,
    overridden_seq=st.none() | st.integers(1, 9),
    is_offered=st.booleans(),
    recent=st.integers(0, 5),
    most=st.none() | st.integers(0, 5),
    most_days=st.integers(1, 30),
    quiet=st.none() | st.tuples(st.times(), st.times()),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]),
    last_inbound_at=moments,
    reply_window_hours=st.none() | st.integers(1, 168),
    human_agent_days=st.sampled_from([0, 7]),
    templates=st.booleans(),
    opt_in_always=st.booleans(),
    service_opt_in=st.booleans(),
    now=instants,
    human_missing=st.booleans(),
    cap=st.sampled_from([None, QUEUES, REFUSES]),
)


any_request = st.sampled_from([REPLY, TEMPLATE, ADVERTISING, SERVICE, WELCOME, PROGRAM, RECEIPT, QUESTION, SUSPECT])


@given(any_facts, any_request)
def test_nothing_that_forbids_can_be_outvoted(known: Facts, request_: gate.Request) -> None:
    """A block, an opt-out without a later word, a closed window, a stopped channel or organisation: never allowed."""
    decision = gate.decide(known, request_)
    if decision.verdict != "allow":
        return
    assert known.organisation_state == "active" and known.standing in ("trial", "active")
    assert known.approval in ("", "approved")
    assert all(at is None or at > known.now for at in (known.ended_at, known.terms_due_at))
    assert known.cap is None and not (known.human_missing and request_.by == "program")
    assert known.channel_state == "on" and known.reach == "reachable" and known.health != "attention"
    assert known.bar_at is None
    if known.choice == "opted_out" and request_ != RECEIPT:
        assert request_.purpose == "reply" and not known.opt_in_always
        assert known.choice_at and known.last_inbound_at and known.last_inbound_at > known.choice_at
    is_overridden = known.overridden_until is not None and known.now < known.overridden_until and not known.opt_in_always
    if request_ == ADVERTISING:
        assert (known.grant == "granted" or is_overridden) and known.marketing == "free"
        assert known.most is None or known.recent < known.most
    if known.opt_in_always or request_ == WELCOME:
        assert known.grant == "granted" or known.choice == "opted_in" or is_overridden
    assert not request_.findings
    if known.reply_window_hours is not None and decision.rule == "reply":
        assert known.last_inbound_at and known.now - known.last_inbound_at < timedelta(hours=known.reply_window_hours)
    if decision.rule == "human_agent":
        assert known.last_inbound_at and known.now - known.last_inbound_at < timedelta(days=7) and request_.by == "person"


@given(any_facts, any_request)
def test_every_decision_says_what_it_rests_on(known: Facts, request_: gate.Request) -> None:
    """I4: each decision has a rule with words in both languages; its evidence can be stored; only a deferral has an end."""
    decision = gate.decide(known, request_)
    assert decision.rule in (ALLOWS if decision.verdict == "allow" else RULES)
    json.dumps(decision.evidence, default=str)
    assert (decision.until is not None) == (decision.verdict == "defer")
    assert decision.until is None or decision.until > known.now


@given(any_facts, st.integers(0, 10_000))
def test_the_version_names_the_facts_and_not_the_time(known: Facts, later: int) -> None:
    assert known.version() == dataclasses.replace(known, now=known.now + timedelta(seconds=later)).version()
    assert known.version() != dataclasses.replace(known, block_reason=known.block_reason + "!").version()


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("rule", RULES)
def test_each_refusal_has_a_reason_and_a_next_step(rule: str, locale: str) -> None:
    texts = catalogue(locale)
    assert texts[f"gate.{rule}.reason"] and texts[f"gate.{rule}.next"]


@pytest.mark.parametrize(("rule", "status"), [("opted_out", 409), ("channel_off", 409), ("contract_inactive", 402)])
def test_a_refusal_is_402_only_where_payment_lifts_it(rule: str, status: int) -> None:
    assert gate.SendBlocked(gate.Decision("refuse", rule)).http_status == status


def test_quiet_hours_end_in_the_recipients_morning() -> None:
    """Issue 5, 8: 04:00 in New York is quiet until 08:00 there, 13:00 UTC."""
    known = facts(grant="granted", quiet=(time(20), time(8)), zone="America/New_York")
    assert gate.decide(known, ADVERTISING).until == datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
    evening = dataclasses.replace(known, now=datetime(2026, 11, 25, 1, 30, tzinfo=UTC))
    assert gate.decide(evening, ADVERTISING).until == datetime(2026, 11, 25, 13, 0, tzinfo=UTC)


def test_every_rule_speaks_at_one_step() -> None:
    assert set(gate.STEP_OF) == set(RULES)
    assert list(dict.fromkeys(gate.STEP_OF[rule] for rule in RULES)) == list(gate.STEPS)
