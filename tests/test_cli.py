"""What an operator types: errors in plain words, and dead letters that can be seen and put back."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.consent import suppression
from hub.consent.abuse import spam
from hub.core import ids
from hub.inbox.arriving import ingest
from tests.support import Connected, HubUnderTest, command, telegram_text


async def make_dead(hub: HubUnderTest, channel: Connected, count: int) -> list[str]:
    """Deliveries that arrived an hour apart and could not be applied; their shown ids, oldest first."""

    async def fails(*arguments: Any) -> None:
        raise ValueError("cannot")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest, "apply_events", fails)
        for number in range(count):
            await hub.deliver(channel, telegram_text(number + 1, f"Nr. {number}"))
            await hub.settle()
            hub.clock.advance(hours=1)
    rows = await hub.rows("SELECT id FROM webhook_delivery WHERE state = 'dead' ORDER BY received_at")
    return [ids.show("dlv", row["id"]) for row in rows]


@pytest.mark.usefixtures("environment")
async def test_dead_letters_are_listed_with_cause_and_put_back_one_or_a_range(hub: HubUnderTest) -> None:
    """I1: a dead letter can be seen and replayed, one or a range."""
    channel = await hub.connect()
    dead = await make_dead(hub, channel, 4)
    listed = await command("replay", "radwerk")
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.output.splitlines()[:-1]] == dead
    assert "apply: ValueError" in listed.output

    assert "1 deliveries" in (await command("replay", "radwerk", dead[3])).output
    assert (
        "2 deliveries"
        in (await command("replay", "radwerk", "--since", "2026-11-24T10:00:00", "--until", "2026-11-24T12:00:00")).output
    )
    await hub.settle()
    texts = [row["text"] for row in await hub.rows("SELECT text FROM message WHERE direction = 'in' ORDER BY text")]
    assert texts == ["Nr. 1", "Nr. 2", "Nr. 3"]
    assert (await command("replay", "radwerk")).output.splitlines()[0].split()[0] == dead[0]


@pytest.mark.usefixtures("environment", "hub")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["replay", "nobody"], 1, "no organisation is called nobody"),
        (["replay", "radwerk", "dlv_x"], 1, "not a dlv id"),
        (["replay", "radwerk", "--until", "2026-11-24"], 2, "--until needs --since"),
    ],
)
async def test_wrong_words_are_answered_plainly(arguments: list[str], code: int, says: str) -> None:
    result = await command(*arguments)
    assert (result.exit_code, says in result.output) == (code, True)


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PORT", "70000")
    result = CliRunner().invoke(app, ["web"])
    assert result.exit_code == 2
    assert result.output.startswith("HUB_PORT: ")


FOUND = ["--name", "Velo Bregenz", "--owner-name", "Vera Velo", "--owner-email", "vera@velo.example"]


@pytest.mark.usefixtures("environment")
async def test_an_organisation_is_founded_and_its_owner_signs_in(hub: HubUnderTest) -> None:
    """A hub that was just set up: the operator makes the first organisation, and the rest happens in the page."""
    founded = await command("found", "velo", *FOUND, "--password", "kettenöl 77 tropfen")
    assert (founded.exit_code, "/login" in founded.output) == (0, True)
    answer = await hub.browser().post("/login", data={"email": "vera@velo.example", "password": "kettenöl 77 tropfen"})
    assert answer.status_code == 303
    again = await command("found", "velo", *FOUND, "--password", "kettenöl 77 tropfen")
    assert (again.exit_code, "velo already" in again.output) == (1, True)


@pytest.mark.usefixtures("environment", "hub")
async def test_a_weak_password_founds_nothing() -> None:
    weak = await command("found", "velo", *FOUND, "--password", "kurz")
    assert (weak.exit_code, "too_short" in weak.output) == (1, True)
    assert "no organisation" in (await command("replay", "velo")).output


@pytest.mark.usefixtures("environment")
async def test_the_operator_decides_about_spam_events(hub: HubUnderTest) -> None:
    """R-203, R-312: what is listed can be confirmed, grouped and rejected by its id, once, and the charge says who did it."""
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await spam.raise_candidates(
            unit, [spam.Suspect("viber", ids.new_id(), "no_consent", "gate", ids.new_id()) for _ in range(3)]
        )
    listed = (await command("consent", "spam", "list", "radwerk")).output
    events = [line.split()[0] for line in listed.splitlines() if line.startswith("spam_")]
    grouped = await command("consent", "spam", "group", "radwerk", *events[:2], "--by", "Petra")
    assert "EUR 5000.00 are proposed" in grouped.output
    again = await command("consent", "spam", "confirm", "radwerk", events[0], "--by", "Petra")
    assert again.exit_code == 1 and "is confirmed already" in again.output
    rejected = await command("consent", "spam", "reject", "radwerk", events[2], "--by", "Petra", "--reason", "Opt-in liegt vor")
    assert "EUR 5000.00" in rejected.output
    assert await hub.value("SELECT proposed_by FROM proposed_charge") == "Petra"


@pytest.mark.usefixtures("environment")
async def test_the_list_of_erasures_is_saved_and_applied(hub: HubUnderTest, tmp_path: Path) -> None:
    """R-259: what is applied again in tests/inbox/test_erasure.py is what these two commands write and read."""
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        await suppression.suppress(
            unit, hub.runtime.vault, [suppression.Suppressed(("sms", "", "+4915123456789"), "request", hub.clock())]
        )
    file = str(tmp_path / "erasures.json")
    assert "0 erasures of 1 organisations" in (await command("consent", "erasures", "save", file)).output
    assert "0 people" in (await command("consent", "erasures", "apply", file)).output
