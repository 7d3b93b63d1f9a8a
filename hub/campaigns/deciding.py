"""What becomes of one batch of recipients. The simulation and the real run ask here, so that they agree.

The gate speaks first (`hub/consent/gate.py`). What it would let go may still stay behind, by rules of the newsletter itself:

    already_addressed   the same person gets it through another messenger
    name_unknown        the words want a name, and none is known
    nothing_written     there are no words for this messenger, or its template is gone or not approved
    not_expressible     the messenger cannot express it

Each recipient gets a message and a permit of their own, also on Viber: broadcast lists, which tell the provider many recipients at
once, would leave with one permit for all and are not used (I4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.campaigns.audience import Chosen
from hub.campaigns.models import Campaign
from hub.campaigns.writing import Letter, NameUnknown, read_letter, write
from hub.channels.templates import Kept, list_templates
from hub.connectors.contract import Capabilities
from hub.connectors.events import OutboundContent
from hub.core.db import UnitOfWork
from hub.core.errors import InvalidInput
from hub.inbox.sending.bulk import Judged, Meant, decide_all
from hub.runtime import Runtime

OWN_RULES: Final = ("already_addressed", "name_unknown", "nothing_written", "not_expressible")


@dataclass(frozen=True, slots=True)
class Plan:
    """A newsletter as it is sent: what goes out on each channel, with its template where it is one."""

    campaign: Campaign
    letters: Mapping[UUID, Letter]
    templates: Mapping[UUID, Kept]
    capabilities: Mapping[UUID, Capabilities]
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided about a recipient. `judged` is what the gate had to look at; `is_going`: a message is written."""

    chosen: Chosen
    judged: Judged
    verdict: str
    rule: str

    @property
    def is_going(self) -> bool:
        return self.verdict != "refuse"

    @property
    def by_gate(self) -> bool:
        return self.rule not in OWN_RULES


async def load_plan(runtime: Runtime, unit: UnitOfWork, campaign: Campaign) -> Plan:
    """What a newsletter says on each of its channels now."""
    letters = {UUID(channel): read_letter(kept) for channel, kept in campaign.letters.items()}
    templates = {}
    for channel_id, letter in letters.items():
        if letter.template_id is not None:
            kept = {one.id: one for one in await list_templates(unit, channel_id)}
            if letter.template_id in kept:
                templates[channel_id] = kept[letter.template_id]
    rows = await unit.sql.fetch("SELECT id, connector FROM channel WHERE organisation_id = $1", unit.tenant)
    capabilities = {row["id"]: runtime.connectors.get(row["connector"]).capabilities for row in rows}
    zone = ZoneInfo(await unit.sql.fetchval("SELECT zone FROM organisation WHERE id = $1", unit.tenant))
    return Plan(campaign, letters, templates, capabilities, zone)


async def decide(runtime: Runtime, unit: UnitOfWork, plan: Plan, batch: Sequence[Chosen], addressed: set[UUID]) -> list[Outcome]:
    """Decide about a batch. `addressed` are the people of earlier batches who get the newsletter; those of this one are added."""
    written = {one.conversation_id: _write(plan, one) for one in batch}
    meant = [Meant(one.conversation_id, written[one.conversation_id][0], _category(plan, one.channel_id)) for one in batch]
    judged = {one.meant.conversation_id: one for one in await decide_all(runtime, unit, plan.campaign.purpose_id, meant)}
    outcomes = []
    for one in batch:
        said = judged[one.conversation_id]
        verdict, rule = said.decision.verdict, said.decision.rule
        if verdict != "refuse" and (own := _own_rule(one, said, written[one.conversation_id][1], addressed)):
            verdict, rule = "refuse", own
        if verdict != "refuse":
            addressed.add(one.contact_id)
        outcomes.append(Outcome(one, said, verdict, rule))
    return outcomes


def _write(plan: Plan, chosen: Chosen) -> tuple[OutboundContent | None, str]:
    """What this recipient gets, or the rule by which there is nothing."""
    letter = plan.letters.get(chosen.channel_id, Letter())
    template, capabilities = plan.templates.get(chosen.channel_id), plan.capabilities[chosen.channel_id]
    try:
        return write(letter, template, capabilities, chosen.name, plan.zone), ""
    except NameUnknown:
        return None, "name_unknown"
    except InvalidInput:
        return None, "nothing_written"


def _category(plan: Plan, channel_id: UUID) -> str | None:
    kept = plan.templates.get(channel_id)
    return kept.category if kept else None


def _own_rule(chosen: Chosen, judged: Judged, missing: str, addressed: set[UUID]) -> str:
    if chosen.contact_id in addressed:
        return "already_addressed"
    return missing or ("" if judged.parts else "not_expressible")
