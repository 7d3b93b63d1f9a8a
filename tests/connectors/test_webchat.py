"""What conformance cannot show of the website chat: its signature to the byte, its settings, and what a part may hold."""

import time

import pytest

from hub.connectors.contract import RawRequest
from hub.connectors.errors import SignatureInvalid
from hub.connectors.events import Album, Choice, Media, Option, Text
from hub.connectors.webchat import wire
from hub.connectors.webchat.connector import connector
from hub.connectors.webchat.samples import SETTINGS
from hub.connectors.webchat.settings import WebchatSettings
from tests.connectors.samples import ALL, Samples

SAMPLES: Samples = next(samples for samples in ALL if str(samples) == "webchat")


def settings(**values: str) -> WebchatSettings:
    return WebchatSettings.model_validate({**SETTINGS, **values})


def test_signature_to_the_byte() -> None:
    """HMAC-SHA256 over seconds, a full stop and the body, checked against `openssl dgst -sha256 -hmac geheim`."""
    body = b'{"kind":"typing"}'
    assert wire.sign(body, "geheim", at=1_795_510_800) == (
        "t=1795510800,v1=8cdb24cadb44fe3d9ca81261b5d0e6936ba25b9b32eeb3db7324bf878fdcd6eb"
    )


@pytest.mark.parametrize("signature", ["", "t=,v1=", "v1=aa", "t=x,v1=aa", "t=-1,v1=aa", "t=９,v1=aa", f"t={'9' * 30},v1=aa"])
def test_odd_signatures_are_refused(signature: str) -> None:
    with pytest.raises(SignatureInvalid):
        connector.verify(RawRequest("POST", {wire.HEADER: signature}, b"{}"), SAMPLES.account())


def test_time_is_part_of_the_signature() -> None:
    """Nobody makes an old request young by writing another time over it."""
    body, secret = b"{}", SAMPLES.module.SECRETS[0]
    old = wire.sign(body, secret, at=int(time.time()) - 3600)
    young = f"t={int(time.time())},{old.partition(',')[2]}"
    assert not wire.is_signed(body, young, (secret,))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://www.radwerk.example", ["https://www.radwerk.example"]),
        ("www.radwerk.example/kontakt\nhttps://RADWERK.example:443/", ["https://www.radwerk.example", "https://radwerk.example"]),
        ("https://a.example, https://b.example;https://a.example", ["https://a.example", "https://b.example"]),
        ("http://127.0.0.1:8080", ["http://127.0.0.1:8080"]),
        ("https://räder.example", ["https://xn--rder-loa.example"]),
        ("http://[::1]:9000/x", ["http://[::1]:9000"]),
    ],
)
def test_origins_as_browsers_name_them(typed: str, kept: list[str]) -> None:
    assert settings(origins=typed).origins.split("\n") == kept
    assert settings(origins=typed).allowed == frozenset(kept)


@pytest.mark.parametrize(
    "wrong",
    [
        {"origins": ""},
        {"origins": "*"},
        {"origins": "https://*.radwerk.example"},
        {"origins": "ftp://radwerk.example"},
        {"origins": "https://user:geheim@radwerk.example"},
        {"origins": "\n".join(f"https://a{number}.example" for number in range(51))},
        {"privacy_url": "javascript:alert(1)"},
        {"privacy_url": "datenschutz"},
        {"title": " "},
        {"title": "x" * 61},
        {"accent": "blau"},
        {"accent": "#2c5a9"},
        {"position": "middle"},
        {"asks": "everything"},
        {"base_url": "https://x.example"},
    ],
)
def test_odd_settings_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        settings(**wrong)


def test_a_long_caption_follows_its_files() -> None:
    files = tuple(Media(kind="image", ref=ref, size=5) for ref in "ab")
    parts = connector.split(Album(items=files, caption=Text(text="wort " * 900)))
    assert parts[0] == Album(items=files)
    assert [len(part.text) <= 4000 for part in parts[1:] if isinstance(part, Text)] == [True, True]


def test_of_a_long_question_the_last_part_has_the_answers() -> None:
    question = Choice(text=Text(text="wort " * 900), options=(Option(id="0", label="Ja"),))
    *before, last = connector.split(question)
    assert all(isinstance(part, Text) for part in before)
    assert isinstance(last, Choice) and last.options == question.options
