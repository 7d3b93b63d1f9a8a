"""Teams on the team page: made, renamed, filled and dissolved by who manages members, and seen by who reads them (R-300)."""

from hub.core import ids
from hub.core.clock import FakeClock
from tests.organisations.support import hire, member_of, signed_in
from tests.support import HubUnderTest


async def test_team_is_made_filled_renamed_and_dissolved(hub: HubUnderTest, clock: FakeClock) -> None:
    """R-300: each step shows on the page; R-047: each names member and session."""
    await hire(hub, "agent", "Jonas Keller")
    jonas = await member_of(hub, "jonas@radwerk.example")
    owner = await signed_in(hub)
    at = f"/o/{hub.slug}/team"
    assert (await owner.submit(f"{at}/teams", name="  Werkstatt ")).status_code == 303
    team = ids.show("team", await hub.value("SELECT id FROM team"))
    clock.advance(seconds=1)
    await owner.submit(f"{at}/teams/{team}/members", members=jonas)
    page = await owner.page(at)
    assert "Werkstatt" in page and page.count("Jonas Keller") >= 3
    clock.advance(seconds=1)
    await owner.submit(f"{at}/teams/{team}/rename", name="Reparatur")
    page = await owner.page(at)
    assert "Reparatur" in page and "Werkstatt" not in page
    clock.advance(seconds=1)
    await owner.submit(f"{at}/teams/{team}/members")
    assert "noch niemand" in await owner.page(at)
    clock.advance(seconds=1)
    await owner.submit(f"{at}/teams/{team}/remove")
    assert "Reparatur" not in await owner.page(at)
    assert (await owner.submit(f"{at}/teams/{team}/rename", name="Neu")).status_code == 404
    audit = await hub.rows("SELECT action, session_id, detail FROM audit_entry WHERE target = $1 ORDER BY at, id", team)
    assert [row["action"] for row in audit] == [
        "team.made",
        "team.members_set",
        "team.renamed",
        "team.members_set",
        "team.removed",
    ]
    assert {row["session_id"] for row in audit} == {await owner.session_id()}
    assert audit[1]["detail"] == {"came": [jonas], "went": []}


async def test_names_are_unique_among_the_living(hub: HubUnderTest) -> None:
    """Two teams of one name could not be told apart; a dissolved team's name is free again."""
    owner = await signed_in(hub)
    at = f"/o/{hub.slug}/team/teams"
    await owner.submit(at, name="Werkstatt")
    response = await owner.submit(at, name="WERKSTATT")
    assert response.status_code == 409
    assert "Ein Team mit dem Namen „WERKSTATT“ gibt es schon." in response.text
    assert 'value="WERKSTATT"' in response.text
    team = ids.show("team", await hub.value("SELECT id FROM team"))
    await owner.submit(f"{at}/{team}/remove")
    assert (await owner.submit(at, name="Werkstatt")).status_code == 303
    assert (await owner.submit(at, name=" ")).status_code == 422


async def test_only_members_of_this_organisation_get_in(hub: HubUnderTest) -> None:
    """R-263: a stranger's id, or a leaver's, is unknown here."""
    other = await hub.found("velo", "Velo Bregenz")
    owner = await signed_in(hub)
    at = f"/o/{hub.slug}/team/teams"
    await owner.submit(at, name="Werkstatt")
    team = ids.show("team", await hub.value("SELECT id FROM team"))
    response = await owner.submit(f"{at}/{team}/members", members=ids.show("mem", other.member_id))
    assert response.status_code == 404
    assert await hub.value("SELECT count(*) FROM team_member") == 0
