"""Where a person must be able to take over, programs write only while somebody can (R-188)."""

from uuid import UUID

import pytest

from hub.channels import humans, service
from hub.channels.humans import Automation, HumanNeeded
from hub.consent import gate
from hub.inbox.sending.facts import load_stranger
from hub.organisations import team, teams
from tests.channels.support import INSTAGRAM, card, with_mail, words
from tests.inbox.pages_support import visit
from tests.smtp import MailServer
from tests.support import Connected, HubUnderTest


@pytest.mark.parametrize(
    ("needed", "there", "may_run"), [(True, True, True), (True, False, False), (False, False, True), (False, True, True)]
)
def test_when_programs_may_write(needed: bool, there: bool, may_run: bool) -> None:
    assert Automation(needed, there).may_run is may_run


def test_instagram_demands_it_and_says_so_in_its_record() -> None:
    assert humans.needs_human("instagram") and not humans.needs_human("telegram") and not humans.needs_human("probe")


async def rule(hub: HubUnderTest, channel: Connected, by: str) -> str:
    """The gate's rule for a reply on this channel."""
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        facts = await load_stranger(unit, hub.runtime.connectors, channel.id, "9001")
    return gate.decide(facts, gate.Request(purpose="reply", by="program" if by == "program" else "person")).rule


async def welcome(hub: HubUnderTest, channel: Connected) -> None:
    await service.set_welcome(hub.runtime, hub.owner, channel.id, "Willkommen")


async def test_a_bot_only_set_up_is_refused_and_stops_when_the_last_agent_leaves(hub: HubUnderTest, smtp: MailServer) -> None:
    """R-188: given an Instagram channel with an automation but no human queue with at least one active agent, when enabled, then
    refused; when the last agent leaves, then an alert and automation stops."""
    runtime, channel = with_mail(hub, smtp), await hub.connect("instagram", **INSTAGRAM)
    with pytest.raises(HumanNeeded):
        await welcome(hub, channel)
    assert await hub.value("SELECT welcome FROM channel") == ""
    ada, jonas, bea = await visit(hub, "Ada Admin", role="admin"), await visit(hub), await visit(hub, "Bea Bucht", role="billing")
    team_id = await teams.create_team(hub.runtime, hub.owner, "Werkstatt")
    await teams.set_members(hub.runtime, hub.owner, team_id, [bea.member_id])  # who may not answer is no agent
    with pytest.raises(HumanNeeded):
        await welcome(hub, channel)
    await teams.set_members(hub.runtime, hub.owner, team_id, [jonas.member_id])
    await welcome(hub, channel)
    assert await rule(hub, channel, "program") != "human_missing"
    assert await humans.watch(runtime) == 0

    await team.deactivate(hub.runtime, hub.owner, jonas.member_id)
    assert await rule(hub, channel, "program") == "human_missing", "at once, not only when somebody looks"
    assert await rule(hub, channel, "person") != "human_missing"
    assert [await humans.watch(runtime), await humans.watch(runtime)] == [1, 0]
    assert smtp.inbox.mails[0]["Subject"] == "Kanal „Instagram“: Programme antworten nicht mehr" and len(smtp.inbox.mails) == 1
    page = words(await card(ada, channel))
    assert "Programme antworten hier nicht mehr." in page and "Programme senden nicht mehr" in page

    await team.reactivate(hub.runtime, hub.owner, jonas.member_id)
    assert await rule(hub, channel, "program") != "human_missing"
    assert await humans.watch(runtime) == 1 and len(smtp.inbox.mails) == 1
    page = words(await card(ada, channel))
    assert "Programme antworten hier nicht mehr." not in page and "Programme senden wieder" in page
    for leave in (change_role, leave_team, remove_team):
        await teams.set_members(hub.runtime, hub.owner, team_id, [jonas.member_id])
        await team.change_role(hub.runtime, hub.owner, jonas.member_id, "agent")
        assert await rule(hub, channel, "program") != "human_missing"
        await leave(hub, team_id, jonas.member_id)
        assert await rule(hub, channel, "program") == "human_missing", leave


async def change_role(hub: HubUnderTest, team_id: UUID, member_id: UUID) -> None:
    await team.change_role(hub.runtime, hub.owner, member_id, "readonly")


async def leave_team(hub: HubUnderTest, team_id: UUID, member_id: UUID) -> None:
    await teams.set_members(hub.runtime, hub.owner, team_id, [])


async def remove_team(hub: HubUnderTest, team_id: UUID, member_id: UUID) -> None:
    await teams.remove_team(hub.runtime, hub.owner, team_id)


async def test_other_messengers_ask_for_nobody(hub: HubUnderTest) -> None:
    channel = await hub.connect()
    await welcome(hub, channel)
    assert await rule(hub, channel, "program") != "human_missing"
    assert await humans.watch(hub.runtime) == 0
