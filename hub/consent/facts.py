"""What the gate decides on: a plain value, loaded by `hub/inbox/sending/facts.py`, the one place that sees all rooms together."""

import dataclasses
import hashlib
from dataclasses import dataclass
from datetime import datetime, time
from typing import Literal

from hub.consent.books.states import GrantState


@dataclass(frozen=True, slots=True)
class CapReached:
    """A cap that one more message would pass (`channels/caps.py`): `most` in one `span` for each `per`; its window ends at `until`,
    and until then a message waits or is refused."""

    per: str
    most: int
    span: str
    until: datetime
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything known about one recipient at the instant `now`. All times are aware UTC.

    organisation_state, standing      may the organisation send at all (standing: `hub.billing.ports`)
    channel_state, block_reason       switched on, off, or stopped by the kill switch (R-183), whatever it was set for
    ended_at                          from when on the messenger is no more (R-185); None: it is not known to end
    approval                          the provider's word on the account (R-186, R-196); '': it needs none
    terms_due_at                      from when on the channel only receives, its provider's terms not accepted (R-180)
    health, health_cause, health_until  our view of the provider's side
    bar_at                            since when the business itself writes there no more; None: it does
    choice, choice_at                 the person's own word and the provider's time of it
    told_at                           when they were last told that their opt-out is heard
    marketing                         their word about advertising alone
    reach, reach_at                   whether the messenger lets us through
    grant, grant_at, grant_seq        what they agreed to for the purpose that is asked about, and the ledger's entry
    overridden_until, overridden_seq  until when somebody answers by name for writing without it (R-226), and the entry
    is_offered                        that purpose is not archived
    recent, most, most_days           what they were sent for it lately, and the most in so many days (None: any amount)
    quiet, zone                       hours of their own day in which no advertising leaves, and the zone that day is in
    last_inbound_at                   when the person last wrote; None: never
    reply_window_hours                how long the messenger allows free replies after that; None: without end
    human_agent_days                  how many days after that a person, and no program, may still answer
    templates                         messages that the provider has approved before may go at any time
    human_missing                     the messenger demands that a person can take over, and nobody can (R-188)
    cap                               the cap that is reached (R-198); None: there is room, or this message was counted before
    opt_in_always                     not even an answer leaves without an opt-in on record (Viber, R-221)
    service_opt_in                    the policy asks for an opt-in to service messages outside the reply window as well
    """

    organisation_state: str
    standing: str
    channel_state: str
    block_reason: str
    ended_at: datetime | None
    approval: str
    terms_due_at: datetime | None
    health: str
    health_cause: str
    health_until: datetime | None
    bar_at: datetime | None
    choice: Literal["none", "opted_in", "opted_out"]
    choice_at: datetime | None
    told_at: datetime | None
    marketing: Literal["free", "stopped"]
    reach: Literal["reachable", "blocked"]
    reach_at: datetime | None
    grant: GrantState
    grant_at: datetime | None
    grant_seq: int | None
    overridden_until: datetime | None
    overridden_seq: int | None
    is_offered: bool
    recent: int
    most: int | None
    most_days: int
    quiet: tuple[time, time] | None
    zone: str
    last_inbound_at: datetime | None
    reply_window_hours: int | None
    human_agent_days: int
    templates: bool
    opt_in_always: bool
    service_opt_in: bool
    now: datetime
    human_missing: bool = False
    cap: CapReached | None = None

    def version(self) -> str:
        """A short name of these facts without the time they were asked at: kept with an attempt, so that it can be shown later
        whether two decisions stood on the same ground."""
        known = [str(getattr(self, field.name)) for field in dataclasses.fields(self) if field.name != "now"]
        return hashlib.blake2b("\x1f".join(known).encode(), digest_size=8).hexdigest()
