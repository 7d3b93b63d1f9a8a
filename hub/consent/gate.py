"""The gate: may this message leave now? Pure over a `Facts` value, so it can be tabled, tested and run over a whole audience.

Steps in their order (`STEPS`); the first rule that speaks decides:

  organisation
    organisation_inactive     the organisation was suspended or has ended              refuse
    contract_inactive         its contract does not allow sending now (I9)             refuse, payment lifts it
  channel
    channel_blocked           the kill switch (R-183)                                  refuse
    messenger_ended           the provider has ended this messenger (R-185)            refuse
    not_approved              the provider has not approved the account (R-186, R-196) refuse
    terms_overdue             its new terms were not accepted in time (R-180)          refuse
    channel_off               the business switched the channel off                    refuse
    channel_failing           the provider cannot be reached                           defer to the next try
    channel_attention         only a person can mend the channel                       defer
    cap_reached               as many left as may in this window (R-198)               defer to the next window, or refuse
    human_missing             a program writes where a person must be able to take
                              over, and nobody is there (R-188)                        refuse
  person
    barred                    the business itself writes there no more                 refuse
    person_blocked            the messenger does not let us through                    refuse
    opted_out                 the person said stop and has not written since (R-223);
                              where an opt-in is always needed only that lifts it      refuse
    already_told              that their stop is heard, they were told                 refuse
  consent
    marketing_stopped         they want no advertising                                 refuse
    purpose_archived          nothing leaves for this purpose any more                 refuse
    no_consent                advertising without a living grant of its purpose (R-220) refuse
    opt_in_needed             a greeting, the first word, on some messengers anything:
                              the person has not agreed (R-221)                        refuse
  frequency (advertising)
    frequency_cap             they were sent as much of it lately as the policy allows  refuse
    quiet_hours               night or rest where they are                             defer to their end
  form
    template_needed           the reply window is over, and a template may go          refuse
    human_only                the reply window is over, and a person may answer        refuse
    window_closed             the messenger's reply window is over                     refuse
  content
    content_review            a second person has to look at it first (R-199, R-238)   hold

What is allowed names its ground:

    reply                     an answer inside the reply window
    template                  what the provider has approved goes after the window
    human_agent               a person answers after the reply window, marked as such
    granted                   the person agreed to this purpose
    overridden                somebody with the right to do so answers for it by name (R-226)
    welcome, opt_in_request, opt_out_receipt   the one message that each of them is

The words of each rule, its reason and the lawful next step, stand in the catalogue as `gate.<rule>.reason` and `.next`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.consent.facts import Facts
from hub.core.errors import HubError

Verdict = Literal["allow", "defer", "hold", "refuse"]
Step = Literal["organisation", "channel", "person", "consent", "frequency", "form", "content"]

SENDING_STANDINGS: Final = frozenset({"trial", "active"})
LOOK_AGAIN: Final = timedelta(minutes=5)
"""When a deferred message is looked at again where nobody knows how long it takes; mending the channel wakes it at once."""
PAYMENT_LIFTS: Final = frozenset({"contract_inactive"})
"""Rules that a payment or an order lifts: answered 402."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be sent.

    purpose     `reply`: an answer in a conversation; `welcome`: what somebody who opens the chat is told first; `opt_in_request`:
                the question whether they agreed; `opt_out_receipt`: that their stop is heard; `service` and `marketing`: what the
                business writes by itself, for the purpose of that kind with this `purpose_id`
    form        `template`: words that the provider has approved before
    by          who wrote it: `program` is everything that is no person at this moment
    is_written  it is written and waits: what was noted of it when it was written speaks not against itself
    findings    what the content rules found (`content_rules.py`) and nobody has approved yet
    """

    purpose: Literal["reply", "welcome", "opt_in_request", "opt_out_receipt", "service", "marketing"]
    purpose_id: UUID | None = None
    form: Literal["free", "template"] = "free"
    by: Literal["person", "program"] = "person"
    findings: tuple[str, ...] = ()
    is_written: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate said, and on what ground. `until` is set for `defer` and only then."""

    verdict: Verdict
    rule: str
    evidence: dict[str, object] = field(default_factory=dict)
    until: datetime | None = None


class SendBlocked(HubError):
    """The gate refused; the decision is kept and nothing else. 409, or 402 where a payment lifts it."""

    code = "send_blocked"
    http_status = 409

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.rule, rule=decision.rule)
        self.decision = decision
        if decision.rule in PAYMENT_LIFTS:
            self.http_status = 402


def decide(facts: Facts, request: Request) -> Decision:
    """The verdict for one message to one recipient at `facts.now`."""
    for rule in STEPS.values():
        decision = rule(facts, request)
        if decision is not None:
            return decision
    return _ground(facts, request)


def _organisation(facts: Facts, request: Request) -> Decision | None:
    if facts.organisation_state != "active":
        return Decision("refuse", "organisation_inactive", {"state": facts.organisation_state})
    if facts.standing not in SENDING_STANDINGS:
        return Decision("refuse", "contract_inactive", {"standing": facts.standing})
    return None


def _channel(facts: Facts, request: Request) -> Decision | None:
    if facts.channel_state == "blocked":
        return Decision("refuse", "channel_blocked", {"reason": facts.block_reason})
    if facts.ended_at is not None and facts.now >= facts.ended_at:
        return Decision("refuse", "messenger_ended", {"since": facts.ended_at})
    if facts.approval not in ("", "approved"):
        return Decision("refuse", "not_approved", {"approval": facts.approval})
    if facts.terms_due_at is not None and facts.now >= facts.terms_due_at:
        return Decision("refuse", "terms_overdue", {"since": facts.terms_due_at})
    if facts.channel_state != "on":
        return Decision("refuse", "channel_off")
    if facts.health == "attention":
        return Decision("defer", "channel_attention", {"cause": facts.health_cause}, facts.now + LOOK_AGAIN)
    if facts.health == "failing":
        until = facts.health_until or facts.now + LOOK_AGAIN
        if until > facts.now:
            return Decision("defer", "channel_failing", {"cause": facts.health_cause}, until)
    return _cap(facts) or _human(facts, request)


def _cap(facts: Facts) -> Decision | None:
    if facts.cap is None:
        return None
    evidence: dict[str, object] = {"per": facts.cap.per, "most": facts.cap.most, "span": facts.cap.span}
    return (
        Decision("defer", "cap_reached", evidence, facts.cap.until)
        if facts.cap.waits
        else Decision("refuse", "cap_reached", evidence)
    )


def _human(facts: Facts, request: Request) -> Decision | None:
    return Decision("refuse", "human_missing") if facts.human_missing and request.by == "program" else None


def _person(facts: Facts, request: Request) -> Decision | None:
    if facts.bar_at is not None:
        return Decision("refuse", "barred", {"since": facts.bar_at})
    if facts.reach == "blocked":
        return Decision("refuse", "person_blocked", {"since": facts.reach_at})
    if facts.choice != "opted_out":
        return None
    if request.purpose == "opt_out_receipt" and not facts.opt_in_always:
        if not request.is_written and facts.told_at and facts.choice_at and facts.told_at >= facts.choice_at:
            return Decision("refuse", "already_told", {"at": facts.told_at})
        return None
    if facts.opt_in_always or request.purpose not in ("reply", "opt_out_receipt") or not _wrote_after(facts, facts.choice_at):
        return Decision("refuse", "opted_out", {"since": facts.choice_at})
    return None


def _wrote_after(facts: Facts, at: datetime | None) -> bool:
    return at is not None and facts.last_inbound_at is not None and facts.last_inbound_at > at


def _consent(facts: Facts, request: Request) -> Decision | None:
    """What needs more than that nothing stands against it."""
    if request.purpose == "marketing" and facts.marketing == "stopped":
        return Decision("refuse", "marketing_stopped")
    if request.purpose_id is not None and not facts.is_offered:
        return Decision("refuse", "purpose_archived")
    if _may_override(facts):
        return None
    is_granted = facts.grant == "granted"
    if request.purpose == "marketing":
        return None if is_granted else Decision("refuse", "no_consent", {"grant": facts.grant})
    agreed = is_granted or facts.choice == "opted_in"
    if request.purpose == "opt_in_request":  # the one question that comes before an agreement
        agreed = facts.grant == "asked" and not facts.opt_in_always
    return None if agreed or not _needs_opt_in(facts, request) else Decision("refuse", "opt_in_needed")


def _needs_opt_in(facts: Facts, request: Request) -> bool:
    if facts.opt_in_always or request.purpose in ("welcome", "opt_in_request") or facts.last_inbound_at is None:
        return True
    return request.purpose == "service" and facts.service_opt_in and not _is_open(facts)


def _may_override(facts: Facts) -> bool:
    """R-226 lifts what law and provider leave to the business, and nothing where an opt-in is always needed."""
    return not facts.opt_in_always and facts.overridden_until is not None and facts.now < facts.overridden_until


def _frequency(facts: Facts, request: Request) -> Decision | None:
    """How often, and when in their day: for advertising alone."""
    if request.purpose != "marketing":
        return None
    if facts.most is not None and facts.recent >= facts.most:
        return Decision("refuse", "frequency_cap", {"most": facts.most, "days": facts.most_days})
    until = _quiet_until(facts)
    return None if until is None else Decision("defer", "quiet_hours", {"zone": facts.zone}, until)


def _quiet_until(facts: Facts) -> datetime | None:
    """When the quiet hours end that it is now in the recipient's day; None outside of them."""
    if facts.quiet is None:
        return None
    begins, ends = facts.quiet
    here = facts.now.astimezone(ZoneInfo(facts.zone))
    clock_time = here.time()
    is_quiet = begins <= clock_time < ends if begins <= ends else clock_time >= begins or clock_time < ends
    if not is_quiet:
        return None
    day = here.date() if clock_time < ends else here.date() + timedelta(days=1)
    return datetime.combine(day, ends, here.tzinfo).astimezone(UTC)


def _form(facts: Facts, request: Request) -> Decision | None:
    """Inside the messenger's reply window everything may go, and a welcome is a part of its opening; after it what the messenger
    leaves open."""
    if request.purpose == "welcome" or _is_open(facts):
        return None
    closed: dict[str, object] = {"closed_at": _closes_at(facts)}
    if facts.templates and request.form == "template":
        return None
    if _is_human_time(facts) and request.purpose == "reply":
        return None if request.by == "person" else Decision("refuse", "human_only", closed)
    return Decision("refuse", "template_needed" if facts.templates else "window_closed", closed)


def _closes_at(facts: Facts) -> datetime | None:
    """When the reply window ends or has ended; None where it never opened, or has no end."""
    if facts.last_inbound_at is None or facts.reply_window_hours is None:
        return None
    return facts.last_inbound_at + timedelta(hours=facts.reply_window_hours)


def _is_open(facts: Facts) -> bool:
    closes_at = _closes_at(facts)
    return facts.reply_window_hours is None or (closes_at is not None and facts.now < closes_at)


def _is_human_time(facts: Facts) -> bool:
    return facts.last_inbound_at is not None and facts.now < facts.last_inbound_at + timedelta(days=facts.human_agent_days)


def _content(facts: Facts, request: Request) -> Decision | None:
    return Decision("hold", "content_review", {"findings": list(request.findings)}) if request.findings else None


def _ground(facts: Facts, request: Request) -> Decision:
    """Why it may go."""
    if request.purpose == "welcome":
        return Decision("allow", "welcome", {"opted_in_at": facts.choice_at})
    if request.purpose in ("opt_in_request", "opt_out_receipt"):
        return Decision("allow", request.purpose)
    if request.purpose_id is not None and facts.grant == "granted":
        return Decision("allow", "granted", {"entry": facts.grant_seq, "at": facts.grant_at})
    if _may_override(facts):
        return Decision("allow", "overridden", {"entry": facts.overridden_seq})
    if _is_open(facts):
        return Decision("allow", "reply", {"last_inbound_at": facts.last_inbound_at})
    is_template = facts.templates and request.form == "template"
    return Decision("allow", "template" if is_template else "human_agent", {"closed_at": _closes_at(facts)})


STEPS: Final[dict[Step, Callable[[Facts, Request], Decision | None]]] = {
    "organisation": _organisation,
    "channel": _channel,
    "person": _person,
    "consent": _consent,
    "frequency": _frequency,
    "form": _form,
    "content": _content,
}
"""In the order in which they are asked; the page shows them so, rule by rule."""

_RULES: Final[dict[Step, str]] = {
    "organisation": "organisation_inactive contract_inactive",
    "channel": "channel_blocked messenger_ended not_approved terms_overdue channel_off channel_failing channel_attention "
    "cap_reached human_missing",
    "person": "barred person_blocked opted_out already_told",
    "consent": "marketing_stopped purpose_archived no_consent opt_in_needed",
    "frequency": "frequency_cap quiet_hours",
    "form": "template_needed human_only window_closed",
    "content": "content_review",
}
STEP_OF: Final[dict[str, Step]] = {rule: step for step, rules in _RULES.items() for rule in rules.split()}
"""At which step a rule speaks."""
