"""The gate: may this message leave now? Pure over a `Facts` value, so it can be tabled, tested and run over a whole audience.

Rules in their order; the first that speaks decides:

    organisation_inactive     the organisation was suspended or has ended              refuse
    contract_inactive         its contract does not allow sending now (I9)             refuse, payment lifts it
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
    person_blocked            the messenger does not let us through                    refuse
    opted_out                 the person said stop and has not written since (R-223)   refuse
    marketing_stopped         they want no advertising, and the template is one        refuse
    opt_in_needed             a greeting, advertising, or the first word, and the
                              person has not agreed (R-221)                            refuse
    template_needed           the reply window is over, and a template may go          refuse
    human_only                the reply window is over, and a person may answer        refuse
    window_closed             the messenger's reply window is over                     refuse
    human_agent               a person answers after the reply window, marked as such  allow
    template                  what the provider has approved goes after the window     allow
    welcome, reply            a greeting that was agreed to; an answer                 allow

The words of each rule, its reason and the lawful next step, stand in the catalogue as `gate.<rule>.reason` and `.next`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from hub.consent.facts import Facts
from hub.core.errors import HubError

Verdict = Literal["allow", "defer", "refuse"]

SENDING_STANDINGS: Final = frozenset({"trial", "active"})
LOOK_AGAIN: Final = timedelta(minutes=5)
"""When a deferred message is looked at again where nobody knows how long it takes; mending the channel wakes it at once."""
PAYMENT_LIFTS: Final = frozenset({"contract_inactive"})
"""Rules that a payment or an order lifts: answered 402."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be sent.

    purpose     `reply`: an answer in a conversation; `welcome`: what somebody who opens the chat is told first
    form        `template`: words that the provider has approved before
    marketing   whether that template is advertising by the provider's own category
    by          who wrote it: `program` is everything that is no person at this moment
    """

    purpose: Literal["reply", "welcome"]
    form: Literal["free", "template"] = "free"
    marketing: bool = False
    by: Literal["person", "program"] = "person"


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
    for rule in (_organisation, _channel, _cap):
        decision = rule(facts)
        if decision is not None:
            return decision
    return _human(facts, request) or _person(facts) or _agreed(facts, request) or _window(facts, request)


def _organisation(facts: Facts) -> Decision | None:
    if facts.organisation_state != "active":
        return Decision("refuse", "organisation_inactive", {"state": facts.organisation_state})
    if facts.standing not in SENDING_STANDINGS:
        return Decision("refuse", "contract_inactive", {"standing": facts.standing})
    return None


def _channel(facts: Facts) -> Decision | None:
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
    return None


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


def _person(facts: Facts) -> Decision | None:
    if facts.reach == "blocked":
        return Decision("refuse", "person_blocked", {"since": facts.reach_at})
    if facts.choice == "opted_out" and not _wrote_after(facts, facts.choice_at):
        return Decision("refuse", "opted_out", {"since": facts.choice_at})
    return None


def _wrote_after(facts: Facts, at: datetime | None) -> bool:
    return at is not None and facts.last_inbound_at is not None and facts.last_inbound_at > at


def _agreed(facts: Facts, request: Request) -> Decision | None:
    """What needs more than that nothing stands against it."""
    if request.marketing and facts.marketing == "stopped":
        return Decision("refuse", "marketing_stopped")
    is_first = request.form == "template" and facts.last_inbound_at is None
    if (request.marketing or request.purpose == "welcome" or is_first) and facts.choice != "opted_in":
        return Decision("refuse", "opt_in_needed")
    return None


def _window(facts: Facts, request: Request) -> Decision:
    """Inside the messenger's reply window everything may go, and a welcome is a part of its opening; after it what the messenger
    leaves open."""
    if request.purpose == "welcome":
        return Decision("allow", "welcome", {"opted_in_at": facts.choice_at})
    wrote_at, hours = facts.last_inbound_at, facts.reply_window_hours
    closes_at = wrote_at + timedelta(hours=hours) if wrote_at and hours is not None else None
    if hours is None or (closes_at and facts.now < closes_at):
        return Decision("allow", "reply", {"last_inbound_at": wrote_at})
    closed: dict[str, object] = {"closed_at": closes_at}
    if facts.templates:
        is_template = request.form == "template"
        return Decision("allow", "template", closed) if is_template else Decision("refuse", "template_needed", closed)
    if wrote_at and facts.now < wrote_at + timedelta(days=facts.human_agent_days):
        return Decision("allow", "human_agent", closed) if request.by == "person" else Decision("refuse", "human_only", closed)
    return Decision("refuse", "window_closed", closed)
