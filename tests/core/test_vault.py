"""Secrets at rest (R-263, I10)."""

import base64
import stat
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.settings import Settings
from hub.core.vault import KEY_FILE, MasterKeyUnusable, SealBroken, Vault, load_vault

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
ORGANISATION = UUID("01900000-0000-7000-8000-000000000001")
ROW = UUID("01900000-0000-7000-8000-000000000002")
SECRET = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # the example token of Telegram's documentation


def vault() -> Vault:
    return Vault({"a": OLD}, current="a")


def entry(key_id: str, key: bytes) -> str:
    return f"{key_id}:{base64.b64encode(key).decode()}"


def installation(data: Path, master_key: str | None = None) -> Settings:
    return Settings.model_validate({"data": data, "master_key": master_key})


def seal(vault: Vault, plain: bytes | str) -> bytes:
    return vault.seal(plain, organisation_id=ORGANISATION, table="channel", column="settings_sealed", row_id=ROW)


def unseal(vault: Vault, sealed: bytes) -> bytes:
    return vault.open(sealed, organisation_id=ORGANISATION, table="channel", column="settings_sealed", row_id=ROW)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_what_was_sealed_opens_again(plain: bytes) -> None:
    """R-263: a secret is stored encrypted and comes back unchanged."""
    assert unseal(vault(), seal(vault(), plain)) == plain


def test_a_sealed_secret_names_its_key_and_shows_nothing_else() -> None:
    """R-263: the stored bytes begin with the key's id, hold no plain text and differ each time."""
    first, second = seal(vault(), SECRET), seal(vault(), SECRET)
    assert first.startswith(b"a:")
    assert first != second
    assert not any(SECRET.encode()[i : i + 6] in first for i in range(len(SECRET) - 6))
    assert unseal(vault(), first) == SECRET.encode()


@pytest.mark.parametrize(
    ("organisation_id", "table", "column", "row_id"),
    [
        (ROW, "channel", "settings_sealed", ROW),
        (ORGANISATION, "api_key", "settings_sealed", ROW),
        (ORGANISATION, "channel", "secrets_sealed", ROW),
        (ORGANISATION, "channel", "settings_sealed", ORGANISATION),
        (ROW, "channel", "settings_sealed", ORGANISATION),
    ],
)
def test_a_secret_opens_only_where_it_belongs(organisation_id: UUID, table: str, column: str, row_id: UUID) -> None:
    """R-263: copying a sealed value to another organisation, table, column or row makes it useless."""
    sealed = seal(vault(), SECRET)
    with pytest.raises(SealBroken):
        vault().open(sealed, organisation_id=organisation_id, table=table, column=column, row_id=row_id)


def test_every_changed_byte_is_noticed_and_nothing_is_shown() -> None:
    """R-263, I10: a changed value is refused; neither message nor cause shows secret or sealed bytes."""
    sealed = seal(vault(), SECRET)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(SealBroken) as caught:
            unseal(vault(), bytes(changed))
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        assert SECRET[:9] not in str(caught.value)


@pytest.mark.parametrize("sealed", [b"", b"a:", b"a", b"a:short", SECRET.encode(), b"A:" + bytes(40), b":" + bytes(40)])
def test_what_is_no_sealed_value_is_refused(sealed: bytes) -> None:
    with pytest.raises(SealBroken) as caught:
        unseal(vault(), sealed)
    assert "AAHdq" not in str(caught.value)


def test_rotation() -> None:
    """design.md, 9: a new key in front seals, the old one still opens, and what it sealed is found."""
    sealed = seal(vault(), SECRET)
    both = Vault({"b": NEW, "a": OLD}, current="b")
    assert both.needs_rotation(sealed)
    again = seal(both, unseal(both, sealed))
    assert not both.needs_rotation(again)
    assert unseal(Vault({"b": NEW}, current="b"), again) == SECRET.encode()
    with pytest.raises(SealBroken, match=r"^channel\.settings_sealed of row .* with key 'a', which this hub does not hold$"):
        unseal(Vault({"b": NEW}, current="b"), sealed)


def test_another_key_of_the_same_name_does_not_open() -> None:
    with pytest.raises(SealBroken, match="another key called 'a'"):
        unseal(Vault({"a": NEW}, current="a"), seal(vault(), SECRET))


def test_no_key_in_the_repr() -> None:
    """I10: a vault may land in a log line or a traceback."""
    keyed = Vault({"a": b"0123456789abcdef0123456789abcdef"}, current="a")
    assert repr(keyed) == "Vault(current='a', key_ids=['a'])"
    assert "0123456789abcdef" not in f"{keyed} {vars(keyed)}"


def test_keys_from_the_environment_the_first_one_seals(tmp_path: Path) -> None:
    """hub/core/settings.py: `id:base64[,id:base64…]`, the first one seals; no file is made then."""
    loaded = load_vault(installation(tmp_path / "data", f"{entry('b', NEW)}, {entry('a', OLD)}"))
    assert loaded.current == "b"
    assert unseal(loaded, seal(vault(), SECRET)) == SECRET.encode()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "HUB_MASTER_KEY: a key id is"),
        ("a:???", "HUB_MASTER_KEY: entry 1 is not id:base64"),
        ("a:ä", "HUB_MASTER_KEY: entry 1 is not id:base64"),
        (entry("a", OLD[:31]), "HUB_MASTER_KEY: key 'a' has 31 bytes; it must have 32"),
        (entry("", OLD), "HUB_MASTER_KEY: a key id is"),
        (entry("A b", OLD), "HUB_MASTER_KEY: a key id is"),
        (base64.b64encode(OLD).decode(), "HUB_MASTER_KEY: a key id is"),
        (f"{entry('a', OLD)},{entry('a', NEW)}", "HUB_MASTER_KEY: entry 2 repeats"),
        (f"{entry('a', OLD)},", "HUB_MASTER_KEY: a key id is"),
    ],
)
def test_an_unfit_master_key_is_refused_without_showing_it(tmp_path: Path, text: str, complaint: str) -> None:
    """I10: the message says what to mend; the key itself appears nowhere."""
    with pytest.raises(MasterKeyUnusable, match=complaint) as caught:
        load_vault(installation(tmp_path, text))
    assert base64.b64encode(OLD).decode()[:12] not in f"{caught.value}{caught.value.__cause__}"


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    """design.md, 9: without HUB_MASTER_KEY a 0600 file in the data folder, made at the first start, kept ever after."""
    data = tmp_path / "data"
    sealed = seal(load_vault(installation(data)), SECRET)
    path = data / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert [found.name for found in data.iterdir()] == [KEY_FILE]
    assert unseal(load_vault(installation(data)), sealed) == SECRET.encode()


def test_two_first_starts_at_once_end_with_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The web process and the worker start together: the one that comes second takes the file of the first."""
    sealed = seal(load_vault(installation(tmp_path)), SECRET)
    monkeypatch.setattr(Path, "exists", lambda self: False)
    late = load_vault(installation(tmp_path))
    assert unseal(late, sealed) == SECRET.encode()
    assert [found.name for found in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """R-263: the message says which file, which mode and what to do."""
    load_vault(installation(tmp_path))
    path = tmp_path / KEY_FILE
    path.chmod(mode)
    with pytest.raises(MasterKeyUnusable, match=f"has mode {mode:04o}, so others .* run `chmod 600 "):
        load_vault(installation(tmp_path))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"k1:AAAA\n", b"nonsense"])
def test_a_damaged_key_file_is_refused_not_replaced(tmp_path: Path, content: bytes) -> None:
    """A new key in its place would make every sealed secret unreadable for good."""
    path = tmp_path / KEY_FILE
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(MasterKeyUnusable, match=KEY_FILE):
        load_vault(installation(tmp_path))
    assert path.read_bytes() == content


def test_something_else_in_the_place_of_the_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).mkdir()
    with pytest.raises(MasterKeyUnusable, match="cannot be read"):
        load_vault(installation(tmp_path))
