"""What the conformance suite cannot show of Threema: codes and boxes to the byte, keys, nonces, both modes, look-ups, health."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
import respx
from nacl.public import Box, PrivateKey, PublicKey
from nacl.secret import SecretBox

from hub.connectors import errors
from hub.connectors.contract import Account, OutboundFile, OutboundMessage, RawRequest, Receipt
from hub.connectors.events import Album, Location, Media, MessageReceived, OutboundContent, Text
from hub.connectors.threema import samples
from hub.connectors.threema.callback import SIGNED
from hub.connectors.threema.connector import connector
from hub.connectors.threema.crypt import box_between, email_hash, phone_hash, public_of, seal
from hub.connectors.threema.media import BlobRef, BoxedRef
from hub.connectors.threema.send import parcel_for
from hub.connectors.threema.settings import ThreemaSettings
from tests.connectors.samples import ALL, ATTEMPT, CALLBACK, CHANNEL, PART, FilesOfOurs, client, outbound_action, permit

SUITE = next(one for one in ALL if one.connector is connector)
GATEWAY = PrivateKey(bytes.fromhex(samples.SETTINGS["private_key"]))
PERSON = PrivateKey(samples.PERSON_KEY)
URL = "https://msgapi.threema.ch"
MESSAGE_ID = "a1b2c3d4e5f60718"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def body_of(name: str) -> bytes:
    return (SUITE.folder / f"{name}.form").read_bytes()


def account(**changed: str) -> Account[ThreemaSettings]:
    settings = ThreemaSettings.model_validate({**samples.SETTINGS, **changed})
    return Account(channel_id=CHANNEL, settings=settings, own_id=settings.gateway_id, webhook_secrets=("unused",))


BASIC = account(private_key="")
TO_PERSON = {"address": "NK7R2WXA", "peer_key": samples.PEER_KEY.hex()}


# --- the code of a callback -------------------------------------------------------------------------------------------


def form(name: str, **changed: str) -> RawRequest:
    fields = dict(parse_qsl(body_of(name).decode(), keep_blank_values=True))
    return RawRequest("POST", {}, urlencode({**fields, **changed}).encode())


def test_the_code_of_the_documents_example() -> None:
    """Provider file, 5.1: byte for byte as it is sent, `*` as `%2A` and a space as `+`."""
    body = body_of("text")
    assert body.startswith(b"from=NK7R2WXA&to=%2AHUBTST1&messageId=5f21c9a0b7d4e813&date=1765441201&nonce=4428ada6")
    assert body.endswith(b"&mac=98ec85aa9a2c2341da22b18e6b1494feae3353f604cf38df3376460d25e96737&nickname=J%C3%B6rg+%26+Anna")
    connector.verify(RawRequest("POST", {}, body), account())


@pytest.mark.parametrize("field", SIGNED)
def test_one_changed_character_of_a_signed_field_is_refused(field: str) -> None:
    value = dict(parse_qsl(body_of("text").decode()))[field]
    with pytest.raises(errors.SignatureInvalid):
        connector.verify(form("text", **{field: value[:-1] + ("0" if value[-1] != "0" else "1")}), account())


def test_the_nickname_is_not_signed() -> None:
    connector.verify(form("text", nickname="Somebody else"), account())


def test_a_field_that_stands_there_twice_is_refused() -> None:
    """Else one could be proved and the other one read."""
    body = body_of("text") + b"&box=00"
    with pytest.raises(errors.SignatureInvalid):
        connector.verify(RawRequest("POST", {}, body), account())


def test_a_callback_for_another_id_is_refused() -> None:
    """Signed with our secret all the same."""
    fields = dict(parse_qsl(body_of("text").decode())) | {"to": "*OTHER01"}
    fields["mac"] = hmac.new(b"Zq4vT8mWc1LdYp0K", "".join(fields[name] for name in SIGNED).encode(), hashlib.sha256).hexdigest()
    with pytest.raises(errors.SignatureInvalid):
        connector.verify(RawRequest("POST", {}, urlencode(fields).encode()), account())


# --- boxes ------------------------------------------------------------------------------------------------------------


def parse(body: bytes, *, key: bytes = samples.PEER_KEY, by: Account[ThreemaSettings] | None = None) -> list[Any]:
    return list(connector.parse(RawRequest("POST", {}, body, peer_key=key), by or account()))


def test_the_sender_is_whose_key_is_needed() -> None:
    assert connector.peer_of(RawRequest("POST", {}, body_of("text")), account()) == "NK7R2WXA"
    assert connector.peer_of(RawRequest("POST", {}, b"{}"), account()) == ""


@pytest.mark.parametrize(
    "key", [b"", bytes(32), b"\x01" * 32, bytes(PrivateKey.generate().public_key)], ids=["none", "zeros", "ones", "another"]
)
def test_what_does_not_open_is_a_dead_letter(key: bytes) -> None:
    """Another key than the sender's: the delivery is kept with its cause and can be replayed, and no card appears."""
    with pytest.raises(errors.MalformedPayload):
        parse(body_of("text"), key=key)


def test_basic_mode_reads_nothing() -> None:
    with pytest.raises(errors.MalformedPayload):
        parse(body_of("text"), by=BASIC)


@pytest.mark.parametrize("plain", [b"\x01", b"\x01ok\x00", b"\x01ok\x09", b"\x01ok\x01\x02", b"\xff" * 40])
def test_broken_padding_is_a_dead_letter(plain: bytes) -> None:
    """Zero would leave an empty text, and a count beyond the start no kind (provider file, 4)."""
    nonce = bytes(range(24))
    box = Box(PERSON, GATEWAY.public_key).encrypt(plain, nonce).ciphertext
    with pytest.raises(errors.MalformedPayload):
        parse(form("text", nonce=nonce.hex(), box=box.hex()).body)


def test_a_message_names_its_nonce() -> None:
    (event,) = parse(body_of("text"))
    assert isinstance(event, MessageReceived) and event.nonce == "4428ada6c98a0e435df766d9d7794536d020450ae1805044"


def test_a_private_key_gives_its_public_key() -> None:
    assert public_of(bytes(GATEWAY)).hex() == "a87e4f43cc292ce69a451a2bc884cddf26fe8adf7790dcf8d4efabad24ffda5a"


def test_nonces_and_padding_differ_and_short_texts_are_long() -> None:
    lock = box_between(bytes(GATEWAY), samples.PEER_KEY)
    sealed = [seal(b"\x01ok", lock) for _ in range(50)]
    assert len({nonce for nonce, _ in sealed}) == 50
    plain = [Box(PERSON, GATEWAY.public_key).decrypt(box, nonce) for nonce, box in sealed]
    assert min(len(one) for one in plain) >= 33
    assert all(one[-one[-1] :] == bytes([one[-1]]) * one[-1] for one in plain)
    assert len({len(one) for one in plain}) > 10


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(32), b"\x01" + bytes(31)])
def test_no_box_is_made_for_a_key_that_is_none(key: bytes) -> None:
    """With a key of low order every box would have the same key."""
    with pytest.raises(ValueError):
        box_between(bytes(GATEWAY), key)


# --- sending ----------------------------------------------------------------------------------------------------------


def message(content: OutboundContent, files: Mapping[str, OutboundFile] | None = None) -> OutboundMessage:
    return OutboundMessage(
        part_id=PART, attempt_id=ATTEMPT, address="NK7R2WXA", peer_key=samples.PEER_KEY, content=content, files=files or {}
    )


async def send(row: dict[str, Any], by: Account[ThreemaSettings] | None = None) -> Receipt:
    async with client() as http:
        return await connector.send(permit(), outbound_action(row), by or account(), http)


def opened(request: httpx.Request) -> bytes:
    """What the person's app reads, without padding; the form is as documented."""
    fields = dict(parse_qsl(request.content.decode(), strict_parsing=True))
    assert set(fields) == {"from", "to", "nonce", "box", "secret"}
    assert (fields["from"], fields["to"], fields["secret"]) == ("*HUBTST1", "NK7R2WXA", "Zq4vT8mWc1LdYp0K")
    plain = Box(PERSON, GATEWAY.public_key).decrypt(bytes.fromhex(fields["box"]), bytes.fromhex(fields["nonce"]))
    return plain[: -plain[-1]]


@pytest.fixture
def gateway() -> Any:
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.post("/send_e2e").respond(text=MESSAGE_ID)
        router.post("/send_simple").respond(text=MESSAGE_ID)
        router.get(url__regex=r".*/capabilities/.*").respond(text="text,file")
        router.post(url__regex=r".*/upload_blob.*").respond(text="65a0541fbdd885c05dd66028b3741665")
        yield router


def sent(gateway: respx.MockRouter, path: str) -> list[httpx.Request]:
    return [call.request for call in gateway.calls if call.request.url.path == path]


async def test_a_text_arrives_as_it_was_typed(gateway: respx.MockRouter) -> None:
    receipt = await send({**TO_PERSON, "text": "Grüße 😊\n*nicht fett?*"})
    (request,) = sent(gateway, "/send_e2e")
    assert opened(request) == b"\x01" + "Grüße 😊\n*nicht fett?*".encode()
    assert receipt.keys == (f"m:NK7R2WXA:{MESSAGE_ID}",) and receipt.status == "accepted"


async def test_a_file_leaves_only_sealed_and_each_with_a_key_of_its_own(gateway: respx.MockRouter) -> None:
    content = Media(kind="image", ref="f1", mime="image/jpeg", width=4, height=3, caption=Text(text="Ihre Brille „Größe M“"))
    keys = set()
    for _ in range(2):
        files = FilesOfOurs({"f1": {"name": "Größe.jpg", "mime": "image/jpeg", "holds": "Inhalt der Datei"}})
        async with client() as http:
            await connector.send(permit(), message(content, files.by_ref), account(), http)
    uploads = sent(gateway, "/upload_blob")
    for upload, request in zip(uploads, sent(gateway, "/send_e2e"), strict=True):
        container = opened(request)
        told = json.loads(container[1:])
        assert container[0] == 0x17 and "Größe" in container.decode("utf-8", "ignore")
        sealed = upload.content.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
        assert b"Inhalt" not in upload.content
        assert SecretBox(bytes.fromhex(told["k"])).decrypt(sealed, bytes(23) + b"\x01") == b"Inhalt der Datei"
        keys.add(told.pop("k"))
        assert told == {
            "b": "65a0541fbdd885c05dd66028b3741665", "m": "image/jpeg", "n": "Größe.jpg", "s": 16, "j": 1, "i": 1,
            "d": "Ihre Brille „Größe M“", "x": {"w": 4, "h": 3},
        }  # fmt: skip
    assert len(uploads) == len(keys) == 2


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        (Location(latitude=47.376887, longitude=8.541694), "47.3768870,8.5416940"),
        (Location(latitude=1.0, longitude=2.0, title="Optik", address="Weg 1"), "1.0000000,2.0000000\nOptik\nWeg 1"),
        (Location(latitude=1.0, longitude=2.0, title="Optik"), "1.0000000,2.0000000\nOptik\nOptik"),
        (
            Location(latitude=47.5, longitude=-0.5, accuracy=12.5, address="Weg 1\n88131 Lindau"),
            "47.5000000,-0.5000000,12.5\nWeg 1\\n88131 Lindau",
        ),
    ],
)
def test_a_place_in_its_lines(place: Location, lines: str) -> None:
    assert parcel_for(message(place)).container == b"\x10" + lines.encode()


async def test_a_reaction_is_a_receipt(gateway: respx.MockRouter) -> None:
    await send({**TO_PERSON, "action": "React", "target_key": "m:NK7R2WXA:5f21c9a0b7d4e813", "emoji": "👎"})
    (request,) = sent(gateway, "/send_e2e")
    assert opened(request) == bytes.fromhex("80045f21c9a0b7d4e813")


async def test_basic_mode_sends_text_and_nothing_else(gateway: respx.MockRouter) -> None:
    receipt = await send({"address": "NK7R2WXA", "text": "Grüße"}, BASIC)
    (request,) = sent(gateway, "/send_simple")
    fields = dict(parse_qsl(request.content.decode(), strict_parsing=True))
    assert fields == {"from": "*HUBTST1", "to": "NK7R2WXA", "text": "Grüße", "secret": "Zq4vT8mWc1LdYp0K"}
    assert receipt.keys == (f"m:NK7R2WXA:{MESSAGE_ID}",)
    for content in ({"content": "Location", "latitude": 1.0, "longitude": 2.0}, {"content": "Text", "text": "x" * 3501}):
        with pytest.raises(errors.UnsupportedContent):
            await send({"address": "NK7R2WXA", "content": content}, BASIC)
    assert len(gateway.calls) == 1


async def test_no_credits_pauses_the_account(gateway: respx.MockRouter) -> None:
    """402: the queue waits instead of failing message by message (provider file, 8)."""
    gateway.post("/send_e2e").respond(402)
    with pytest.raises(errors.AccountPaused) as failure:
        await send({**TO_PERSON, "text": "Guten Tag!"})
    assert failure.value.cause == "no_credits"


def test_an_emoji_text_of_3500_bytes_is_one_message_and_one_more_is_two() -> None:
    (whole,) = connector.split(Text(text="😊" * 875))
    first, second = connector.split(Text(text="😊" * 875 + "x"))
    assert whole == Text(text="😊" * 875)
    assert isinstance(first, Text) and isinstance(second, Text)
    assert first.text + second.text == "😊" * 875 + "x"


def test_a_long_text_is_cut_at_lines_then_words() -> None:
    line, words = "a" * 3000, "wort " * 300
    parts = connector.split(Text(text=f"{line}\n{words}"))
    assert [len(part.text) for part in parts if isinstance(part, Text)] == [3000, 1499]


def test_files_are_messages_of_their_own_and_a_long_text_follows() -> None:
    album = Album(
        items=(Media(kind="image", ref="1", mime="image/png"), Media(kind="document", ref="2")), caption=Text(text="Bilder")
    )
    first, second = connector.split(album)
    assert isinstance(first, Media) and first.caption == Text(text="Bilder")
    assert isinstance(second, Media) and second.caption is None
    long = connector.split(Media(kind="image", ref="1", mime="image/png", caption=Text(text="ä" * 501)))
    assert [type(part) for part in long] == [Media, Text]


# --- keys, look-ups, health, files ------------------------------------------------------------------------------------


async def test_the_key_of_a_person(gateway: respx.MockRouter) -> None:
    route = gateway.get(url__regex=r".*/pubkeys/NK7R2WXA.*").respond(text=samples.PEER_KEY.hex().upper() + "\n")
    async with client() as http:
        assert await connector.fetch_peer_key("NK7R2WXA", account(), http) == samples.PEER_KEY
        for told in ("00" * 32, "nothing", "4f8a"):
            route.respond(text=told)
            with pytest.raises(errors.Unavailable):
                await connector.fetch_peer_key("NK7R2WXA", account(), http)
        route.respond(404)
        with pytest.raises(errors.Rejected):
            await connector.fetch_peer_key("NK7R2WXA", account(), http)
        with pytest.raises(errors.Rejected):
            await connector.fetch_peer_key("../credits", account(), http)


@pytest.mark.parametrize(
    ("phone", "hashed"),
    [
        ("+41791234567", "ad398f4d7ebe63c6550a486cc6e07f9baa09bd9d8b3d8cb9d9be106d35a7fdbc"),
        ("+44123456789", "98b05f6eda7a878f6f016bdcdc9db6eb61a6b190e814ff787142115af144214c"),
    ],
)
def test_hashes_of_numbers(phone: str, hashed: str) -> None:
    assert phone_hash(phone) == hashed


@pytest.mark.parametrize(
    ("email", "hashed"),
    [
        ("test@threema.ch", "1ea093239cc5f0e1b6ec81b866265b921f26dc4033025410063309f4d1a8ee2c"),
        (" Test@Threema.CH ", "1ea093239cc5f0e1b6ec81b866265b921f26dc4033025410063309f4d1a8ee2c"),
        ("echoecho@example.com", "45a13d422b40f81936a9987245d3f6d9064c90607273af4f578246b4484669e2"),
    ],
)
def test_hashes_of_mail_addresses(email: str, hashed: str) -> None:
    assert email_hash(email) == hashed


async def test_people_are_found_by_hash_and_nothing_else_leaves(gateway: respx.MockRouter) -> None:
    gateway.get(url__regex=r".*/lookup/phone_hash/ad398f4d.*").respond(text="NK7R2WXA")
    gateway.get(url__regex=r".*/lookup/email_hash/1ea09323.*").respond(404)
    async with client() as http:
        by_phone = await connector.find("+41791234567", account(), http)
        assert by_phone is not None and by_phone.provider_user_id == "NK7R2WXA"
        assert await connector.find("test@threema.ch", account(), http) is None
        by_id = await connector.find("echoecho", account(), http)
        assert by_id is not None and by_id.provider_user_id == "ECHOECHO"
        assert await connector.find("Jörg", account(), http) is None
        gateway.get(url__regex=r".*/lookup/.*").respond(401)
        with pytest.raises(errors.AuthFailed):
            await connector.find("+4915112345678", account(), http)
    asked = " ".join(str(call.request.url) for call in gateway.calls)
    assert "41791234567" not in asked and "threema.ch/lookup/email_hash" in asked and "test@" not in asked


@pytest.mark.parametrize(
    ("credits", "level", "cause"),
    [("0", "attention", "no_credits"), ("99", "warning", "few_credits"), ("100", "ok", "credits")],
)
async def test_credits_are_the_accounts_health(gateway: respx.MockRouter, credits: str, level: str, cause: str) -> None:
    gateway.get(url__regex=r".*/credits.*").respond(text=credits)
    async with client() as http:
        (event,) = await connector.check(account(), http)
    assert (event.level, event.cause) == (level, cause)  # type: ignore[union-attr]


async def test_basic_mode_is_set_up_without_a_public_address(gateway: respx.MockRouter) -> None:
    """It only sends, and the page says so."""
    gateway.get(url__regex=r".*/credits.*").respond(text="5")
    async with client() as http:
        for url in (None, CALLBACK):
            result = await connector.setup(BASIC, url, http)
            assert result.notes == ("channel.threema.note.only_sends",)


class Kept:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def write(self, piece: bytes) -> None:
        self.pieces.append(piece)


async def test_the_documents_files_open(gateway: respx.MockRouter) -> None:
    """Provider file, 5.4 and 5.6."""
    sealed = {
        "65a0541fbdd885c05dd66028b3741665": "71a9f372cf7fc17a1d3758efebbc0a72925b622871fbb321c6cd4bd4ea538261be475e2a8145d4523131fc11637fc0d16b98a8620106760fdd688470b9f41de759f1ae5ccbdafcd087c89ce007a9d6d0936721c795e3",  # noqa: E501
        "9221ae9a680ab5c3eed6adc6b8e0e4cd": "a86bb1464a594d5667e9aa1589e597db5b6fe63c13ac4da7eeb75408cb2d608b3040e99807cc871f1c3df7a7887230767462a6894ffcc5dd275df9169063756e8e729fd54c2d510da9fecaea69c27e4a2d4e73e115c6",  # noqa: E501
    }
    for name in ("file_with_thumbnail", "image_of_older_apps"):
        (event,) = parse(body_of(name))
        media = event.content
        assert isinstance(media, Media)
        gateway.get(url__regex=rf".*/blobs/{media.unique}.*").respond(content=bytes.fromhex(sealed[media.unique]))
        sink = Kept()
        async with client() as http:
            head = await connector.fetch(media.ref, account(), http, sink, size=media.size)
        assert b"".join(sink.pieces) == PNG and head.size == len(PNG) == media.size


async def test_a_large_file_goes_on_in_pieces(gateway: respx.MockRouter) -> None:
    key, blob = bytes(32), bytes(16)
    gateway.get(url__regex=r".*/blobs/.*").respond(content=SecretBox(key).encrypt(bytes(200_000), bytes(23) + b"\x01").ciphertext)
    sink = Kept()
    async with client() as http:
        await connector.fetch(BlobRef(blob, key).write(), account(), http, sink)
    assert [len(piece) for piece in sink.pieces] == [65536, 65536, 65536, 3392]


def test_the_word_of_a_picture_of_older_apps_has_the_senders_key() -> None:
    ref = BoxedRef(bytes(16), bytes(24), samples.PEER_KEY)
    assert ref.write() == f"b:{'00' * 16}:{'00' * 24}:{samples.PEER_KEY.hex()}"
    assert bytes(PublicKey(samples.PEER_KEY)) == bytes(PERSON.public_key)


@pytest.mark.parametrize(
    ("field", "typed", "kept"),
    [
        ("private_key", "private:" + samples.SETTINGS["private_key"].upper(), samples.SETTINGS["private_key"]),
        ("private_key", " ", ""),
        ("gateway_id", " *hubtst1 ", "*HUBTST1"),
        ("api_secret", " abc ", "abc"),
        ("base_url", "https://onprem.muster.example/api/", "https://onprem.muster.example/api"),
    ],
)
def test_what_is_typed_is_tidied(field: str, typed: str, kept: str) -> None:
    value = getattr(account(**{field: typed}).settings, field)
    assert (value.get_secret_value() if hasattr(value, "get_secret_value") else value) == kept


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("private_key", "public:abc"),
        ("gateway_id", "HUBTST12"),
        ("gateway_id", "*HUB"),
        ("api_secret", ""),
        ("base_url", "ftp://x"),
        ("base_url", "https://u:p@x"),
    ],
)
def test_what_cannot_be_is_refused(field: str, typed: str) -> None:
    with pytest.raises(ValueError):
        account(**{field: typed})
