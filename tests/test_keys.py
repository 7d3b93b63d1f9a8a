"""`hub keys`: a new master key while the hub runs, and no value that cannot be opened afterwards (R-263, design.md 9)."""

import base64
import os
import re
import stat
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import SQLModel

from hub import keys
from hub.core import vault as vault_module
from hub.core.settings import Settings
from hub.core.vault import KEY_FILE, FileVault, MasterKeyUnusable, new_key, put_key_first, remove_key
from hub.inbox.arriving import ingest
from hub.migrations import tables
from tests.support import HubUnderTest, command, telegram_text

pytestmark = pytest.mark.usefixtures("environment")
assert tables.ALL_ROOMS


async def listed() -> dict[str, tuple[str, int]]:
    """What `hub keys list` says: id -> what the key does, and how many values it sealed."""
    result = await command("keys", "list")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    return {key_id: (does, int(values)) for key_id, does, values, _ in lines}


async def two_organisations_with_secrets(hub: HubUnderTest) -> None:
    """Three channels and one consent subject: 7 sealed values in two organisations."""
    channel = await hub.connect()
    await hub.deliver(channel, telegram_text(1, "STOP"))
    await hub.settle()
    other = await hub.found("anderswo", "Anderswo GmbH")
    for _ in range(2):
        await hub.connect(access=other)


def key_ids(path: Path) -> list[str]:
    return [entry.partition(":")[0] for entry in path.read_text().strip().split(",")]


def test_every_sealed_column_is_known() -> None:
    """A column that is sealed and not named in `keys.SEALED` would be lost with the next key that is dropped."""
    columns = {(name, column.name) for name, table in SQLModel.metadata.tables.items() for column in table.columns}
    sealed = {(table, column) for table, column in columns if column.endswith("_sealed")}
    assert sealed == {*keys.SEALED, ("consent_entry", "details_sealed")}


async def test_the_key_changes_while_the_hub_runs(hub: HubUnderTest, settings: Settings) -> None:
    await two_organisations_with_secrets(hub)
    (old,) = key_ids(settings.data / KEY_FILE)
    assert await listed() == {old: ("seals", 7)}

    rotated = await command("keys", "rotate")
    new, kept = key_ids(settings.data / KEY_FILE)
    assert (rotated.exit_code, kept) == (0, old)
    assert f"7 values are now sealed with the new key {new}" in rotated.output
    assert await listed() == {new: ("seals", 7), old: ("opens", 0)}

    # the hub that was started before goes on with what it sealed and with what it seals from now on
    channel = await hub.connect()
    assert await hub.deliver(channel, telegram_text(2, "Hallo", user=77)) == 200
    await hub.deliver(channel, telegram_text(3, "STOP"))
    await hub.settle()
    assert await hub.value("SELECT count(*) FROM message WHERE text = 'Hallo'") == 1
    assert await listed() == {new: ("seals", 9), old: ("opens", 0)}

    dropped = await command("keys", "drop", old)
    assert (dropped.exit_code, key_ids(settings.data / KEY_FILE)) == (0, [new])
    for row in await hub.rows("SELECT id FROM channel"):
        await ingest.load_channel(hub.runtime, hub.organisation_id, row["id"])


async def test_a_key_that_is_needed_stays(hub: HubUnderTest, settings: Settings) -> None:
    await two_organisations_with_secrets(hub)
    path = settings.data / KEY_FILE
    (old,) = key_ids(path)
    put_key_first(path, new_key())
    for key_id, says in ((key_ids(path)[0], "is the key that seals"), (old, "7 values still need"), ("k0", "no key at hand")):
        refused = await command("keys", "drop", key_id)
        assert (refused.exit_code, says in refused.output) == (1, True), refused.output
    assert key_ids(path)[1] == old


async def test_an_interrupted_rotation_is_finished_without_a_third_key(
    hub: HubUnderTest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_organisations_with_secrets(hub)
    path = settings.data / KEY_FILE
    monkeypatch.setattr(keys, "BATCH", 1)
    seal, left = FileVault.seal, [3]

    def fails(self: FileVault, *arguments: object, **place: object) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            raise ConnectionError("the machine goes down")
        return seal(self, *arguments, **place)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(FileVault, "seal", fails)
        assert (await command("keys", "rotate")).exit_code != 0
    new, old = key_ids(path)
    assert await listed() == {new: ("seals", 3), old: ("opens", 4)}
    finished = await command("keys", "rotate")
    assert "4 values" in finished.output and "begun earlier" in finished.output
    assert await listed() == {new: ("seals", 7), old: ("opens", 0)}


async def test_a_value_that_nothing_opens_stops_nobody(hub: HubUnderTest, settings: Settings) -> None:
    """A damaged value is counted and left alone; the others change over, and the next rotation makes a new key all the same."""
    await two_organisations_with_secrets(hub)
    (old,) = key_ids(settings.data / KEY_FILE)
    async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
        damaged = f"{old}:".encode() + bytes(40)
        await unit.sql.execute("UPDATE channel SET settings_sealed = $1, secrets_sealed = $2", damaged, b"kgone:" + bytes(40))
    for _ in range(2):
        rotated = await command("keys", "rotate")
        assert "5 values are now sealed with the new key" in rotated.output
        assert "2 values open with no key at hand" in rotated.output
    newest, middle, _ = key_ids(settings.data / KEY_FILE)
    assert await listed() == {newest: ("seals", 5), middle: ("opens", 0), old: ("opens", 1), "kgone": ("missing", 1)}


async def test_with_the_key_in_the_environment(hub: HubUnderTest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one time key material is shown: nobody but the operator can put it there. Until it is there nothing changes."""
    await two_organisations_with_secrets(hub)
    entry = (settings.data / KEY_FILE).read_text().strip()
    old = entry.partition(":")[0]
    monkeypatch.setenv("HUB_MASTER_KEY", entry)
    told = await command("keys", "rotate")
    fresh = told.output.splitlines()[-1]
    assert re.fullmatch(r"k[0-9a-f]{8}:[A-Za-z0-9+/]{43}=", fresh)
    assert await listed() == {old: ("seals", 7)}

    monkeypatch.setenv("HUB_MASTER_KEY", f"{fresh},{entry}")
    assert (await command("keys", "drop", old)).exit_code == 1
    again = await command("keys", "rotate")
    assert "7 values are now sealed with" in again.output
    assert fresh.partition(":")[2] not in again.output
    dropped = await command("keys", "drop", old)
    assert (dropped.exit_code, "take it out of HUB_MASTER_KEY" in dropped.output) == (0, True)
    monkeypatch.setenv("HUB_MASTER_KEY", fresh)
    assert await listed() == {fresh.partition(":")[0]: ("seals", 7)}


async def test_no_command_shows_a_key_of_the_file(hub: HubUnderTest, settings: Settings) -> None:
    """I10."""
    await two_organisations_with_secrets(hub)
    path = settings.data / KEY_FILE
    secrets = path.read_text()
    said = ""
    for arguments in (["list"], ["rotate"], ["list"], ["drop", key_ids(path)[0]]):
        said += (await command("keys", *arguments)).output
    secrets += path.read_text()
    for encoded in re.findall(r"[A-Za-z0-9+/]{43}=", secrets):
        assert encoded not in said and base64.b64decode(encoded).hex() not in said


@pytest.mark.usefixtures("hub")
async def test_without_a_key_none_is_made(settings: Settings) -> None:
    """A new key beside values that a lost one sealed would look like a hub that works."""
    (settings.data / KEY_FILE).unlink()
    for arguments in (["list"], ["rotate"], ["drop", "k1"]):
        result = await command("keys", *arguments)
        assert (result.exit_code, "there is no key" in result.output) == (1, True), result.output
    assert not (settings.data / KEY_FILE).exists()


def made_file(folder: Path) -> Path:
    vault_module.load_vault(Settings(data=folder))
    return folder / KEY_FILE


def test_a_changed_file_keeps_owner_and_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who rotates may be root; the hub that reads the file need not be."""
    path, given = made_file(tmp_path), []
    monkeypatch.setattr(os, "chown", lambda fresh, uid, gid: given.append((Path(fresh).parent, uid, gid)))
    put_key_first(path, new_key())
    assert given == [(tmp_path, path.stat().st_uid, path.stat().st_gid)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == [KEY_FILE]


def test_only_an_older_key_can_be_removed(tmp_path: Path) -> None:
    path = made_file(tmp_path)
    put_key_first(path, new_key())
    for key_id in (key_ids(path)[0], "k0"):
        with pytest.raises(MasterKeyUnusable, match="is not an older key"):
            remove_key(path, key_id)
    assert len(key_ids(path)) == 2


def test_a_file_that_went_away_stops_sealing(tmp_path: Path) -> None:
    """What would be sealed now could not be opened after the next start."""
    path = made_file(tmp_path)
    vault = FileVault(path)
    path.unlink()
    with pytest.raises(MasterKeyUnusable, match="cannot be read"):
        vault.seal(b"x", organisation_id=UUID(int=1), table="channel", column="settings_sealed", row_id=UUID(int=2))
