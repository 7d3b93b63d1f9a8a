"""What the conformance suite cannot show of Viber: signatures to the byte, tokens, waits, splitting, the welcome, broadcasts."""

import time
from dataclasses import replace
from typing import Any

import orjson
import pytest
import respx

from hub.connectors import errors
from hub.connectors.contract import Account, OutboundFile, OutboundMessage, RawRequest, Receipt
from hub.connectors.events import (
    Album,
    Choice,
    ConsentChanged,
    Interactive,
    Media,
    MessageReceived,
    Option,
    StatusChanged,
    StatusUpTo,
    Text,
)
from hub.connectors.viber import samples
from hub.connectors.viber.broadcast import body_for_many, read_broadcast
from hub.connectors.viber.connector import connector
from hub.connectors.viber.send import body_for, message_for
from hub.connectors.viber.settings import ViberSettings
from tests.connectors.samples import ALL, ATTEMPT, CHANNEL, PART, client, permit

SUITE = next(one for one in ALL if one.connector is connector)
USER = "h0Vb3n/Qx7s+L2kYpZ4tRw=="
OTHER = "Qm9+x/Lk2Aa0vYyZz1Ww3A=="


def body_of(name: str) -> bytes:
    return (SUITE.folder / f"{name}.json").read_bytes()


def account(**changed: str) -> Account[ViberSettings]:
    settings = ViberSettings.model_validate({**samples.SETTINGS, **changed})
    return Account(channel_id=CHANNEL, settings=settings, own_id="", webhook_secrets=("unused",))


def parse(body: bytes | dict[str, Any]) -> list[Any]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return list(connector.parse(RawRequest("POST", {}, raw), account()))


# --- signature and tokens ---------------------------------------------------------------------------------------------


def test_the_signature_of_the_documents_example() -> None:
    """Provider file, A2: over the raw bytes, which are not only ASCII."""
    body = body_of("text")
    assert len(body) == 415
    signature = "abdfc611f9e064b3b0be3bd085b67f97a2d0ffd673ef15e452b159ef06c7d3ed"
    connector.verify(RawRequest("POST", {"x-viber-content-signature": signature}, body), account())


@pytest.mark.parametrize(
    "signature",
    [
        "516e35f9f112efb938058635e4c20b20a6cee9622c363cd7d5bb46b3cf3b92bc",  # of the same object written anew
        "ABDFC611F9E064B3B0BE3BD085B67F97A2D0FFD673EF15E452B159EF06C7D3ED",
        "größer",
        "",
    ],
)
def test_another_signature_is_refused(signature: str) -> None:
    with pytest.raises(errors.SignatureInvalid):
        connector.verify(RawRequest("POST", {"x-viber-content-signature": signature}, body_of("text")), account())


def test_a_token_beyond_what_a_float_holds_is_exact() -> None:
    """5931234567890123457 would become …776 (provider file, A3)."""
    message = parse(body_of("text"))[1]
    assert message.key == f"m:{USER}:5931234567890123457"
    as_text = orjson.loads(body_of("text")) | {"message_token": "5931234567890123457"}
    assert parse(as_text)[1].key == message.key


@pytest.mark.parametrize("token", [5.9e18, "12a", "", None, True, -1, 2**64])
def test_what_is_no_token_is_malformed(token: object) -> None:
    body = body_of("text").replace(b"5931234567890123457", orjson.dumps(token) if token != 2**64 else b"18446744073709551616")
    with pytest.raises(errors.MalformedPayload):
        parse(body)


# --- what comes in ----------------------------------------------------------------------------------------------------


def test_only_the_first_message_subscribes() -> None:
    """Its key is the person's alone, so the database lets it happen once, and a STOP stays (provider file, A4)."""
    first, second = parse(body_of("text")), parse(body_of("text").replace(b"5931234567890123457", b"5931234567890123999"))
    assert isinstance(first[0], ConsentChanged) and first[0].change == "opted_in"
    assert first[0].key == second[0].key == f"subscribed:{USER}"
    assert first[1].key != second[1].key


def test_seen_closes_what_came_before() -> None:
    """Viber says it once for however many messages were unread (provider file, A4)."""
    status, mark = parse(body_of("seen"))
    assert isinstance(status, StatusChanged) and status.status == "read"
    assert isinstance(mark, StatusUpTo) and mark.up_to == mark.at == status.at


def test_a_broadcast_has_one_token_and_each_receiver_a_status_of_their_own() -> None:
    one = parse(body_of("delivered"))[0]
    other = parse(body_of("delivered").replace(USER.encode(), OTHER.encode()))[0]
    assert one.key != other.key and one.target_key != other.target_key


def test_a_press_is_known_by_what_was_given_along() -> None:
    """The words come back as text; the answer they stand for only if they are those of a button."""
    pressed = parse(body_of("press"))[1]
    assert isinstance(pressed, MessageReceived) and pressed.content == Interactive(option="opt_yes", label="Da")
    assert parse(body_of("words_beside_the_buttons"))[1].content == Text(text="Možda")


def test_the_test_of_the_address_is_answered_and_nothing_else() -> None:
    """Also signed with a token that the account does not have yet."""
    answer = connector.handshake(RawRequest("POST", {}, body_of("webhook")), account())
    assert answer is not None and (answer.status, answer.body) == (200, b"")
    for body in (body_of("text"), b"{}", b"\xff"):
        assert connector.handshake(RawRequest("POST", {}, body), account()) is None


# --- the welcome ------------------------------------------------------------------------------------------------------


def message(content: Any, files: dict[str, OutboundFile] | None = None, address: str = USER) -> OutboundMessage:
    return OutboundMessage(part_id=PART, attempt_id=ATTEMPT, address=address, content=content, files=files or {})


def test_who_opens_the_chat_can_be_welcomed_in_the_answer() -> None:
    sender = connector.wants_answer(RawRequest("POST", {}, body_of("conversation_started")), account())
    assert sender is not None and (sender.provider_user_id, sender.display_name) == (USER, "Ана Петровић")
    for body in (body_of("text"), body_of("subscribed"), b"{}", b"x"):
        assert connector.wants_answer(RawRequest("POST", {}, body), account()) is None
    question = Choice(text=Text(text="Willkommen!"), options=(Option(id="opt_in", label="Ja, Nachrichten erhalten"),))
    reply = connector.render_inline(permit(), message(question), account())
    told = orjson.loads(reply.body)
    assert (reply.status, reply.media_type) == (200, "application/json")
    assert "receiver" not in told and told["text"] == "Willkommen!" and told["sender"] == {"name": "Muster Optik"}
    assert told["keyboard"]["Buttons"][0]["ActionBody"] == "Ja, Nachrichten erhalten"


def test_a_welcome_spends_its_permit() -> None:
    leave = permit()
    connector.render_inline(leave, message(Text(text="Willkommen!")), account())
    with pytest.raises(RuntimeError):
        connector.render_inline(leave, message(Text(text="Willkommen!")), account())


# --- what goes out ----------------------------------------------------------------------------------------------------


async def test_who_does_not_answer_waits_until_the_next_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 12: 100 messages in a clock hour; only this person's messages wait (provider file, A6)."""
    monkeypatch.setattr(time, "time", lambda: 1795512600.0)  # half past
    with respx.mock:
        respx.post("https://chatapi.viber.com/pa/send_message").respond(json={"status": 12, "message_token": 1})
        async with client() as http:
            with pytest.raises(errors.RecipientLimited) as failure:
                await connector.send(permit(), message(Text(text="x")), account(), http)
    assert failure.value.retry_after == 1800.0


async def test_the_token_stands_in_the_header_alone() -> None:
    with respx.mock:
        route = respx.post("https://chatapi.viber.com/pa/send_message").respond(json={"status": 0, "message_token": 7})
        async with client() as http:
            await connector.send(permit(), message(Text(text="x")), account(), http)
    request = route.calls[0].request
    assert request.headers["x-viber-auth-token"] == samples.SETTINGS["auth_token"]
    assert samples.SETTINGS["auth_token"] not in request.content.decode() + str(request.url)


def test_an_avatar_goes_along() -> None:
    body = body_for(message(Text(text="x")), account(sender_avatar="https://hub.example.org/a.png").settings)
    assert body["sender"] == {"name": "Muster Optik", "avatar": "https://hub.example.org/a.png"}


def test_words_of_a_file_go_where_there_is_room() -> None:
    picture, document = Media(kind="image", ref="1", mime="image/png"), Media(kind="document", ref="2")
    with_words = connector.split(Media(kind="image", ref="1", mime="image/png", caption=Text(text="x" * 512)))
    assert [type(part) for part in with_words] == [Media]
    too_long = connector.split(Media(kind="image", ref="1", mime="image/png", caption=Text(text="x" * 513)))
    assert [type(part) for part in too_long] == [Media, Text]
    none_of_a_file = connector.split(Media(kind="document", ref="2", caption=Text(text="x")))
    assert [type(part) for part in none_of_a_file] == [Media, Text]
    album = connector.split(Album(items=(picture, document), caption=Text(text="Beides")))
    assert [part.caption for part in album if isinstance(part, Media)] == [Text(text="Beides"), None]


def test_of_a_long_question_the_last_part_has_the_answers() -> None:
    parts = connector.split(Choice(text=Text(text="x" * 7001), options=(Option(id="1", label="Ja"),)))
    assert [type(part) for part in parts] == [Text, Choice]


def test_a_long_file_name_keeps_its_ending() -> None:
    file = OutboundFile(name="x" * 300 + ".pdf", mime="application/pdf", size=1, open=lambda: None, link="https://h/x.pdf")  # type: ignore[arg-type, return-value]
    body = message_for(message(Media(kind="document", ref="f1"), {"f1": file}), account().settings)
    assert len(body["file_name"]) == 256 and body["file_name"].endswith("x.pdf")


# --- broadcasts -------------------------------------------------------------------------------------------------------


def to(*users: str) -> list[OutboundMessage]:
    return [replace(message(Text(text="Novo radno vreme")), address=user) for user in users]


def test_a_broadcast_goes_to_300_different_people_at_most() -> None:
    users = [f"user{number}" for number in range(301)]
    body = body_for_many(to(*users[:300]), account().settings)
    assert body["broadcast_list"] == users[:300] and "receiver" not in body
    for refused in ([], to(*users), to("a", "a"), [*to("a"), replace(message(Text(text="x")), address="b")]):
        with pytest.raises(errors.UnsupportedContent):
            body_for_many(refused, account().settings)


def test_of_a_broadcast_each_receiver_has_an_end_of_their_own() -> None:
    """Provider file, A5: status 0 with failures inside; who is in the list with 6 has opted out."""
    answer = orjson.loads(
        b'{"message_token":5931260000000000001,"status":0,"status_message":"ok","failed_list":['
        b'{"receiver":"Qm9+x/Lk2Aa0vYyZz1Ww3A==","status":6,"status_message":"Not subscribed"},'
        b'{"receiver":"a","status":"5"},{"receiver":"b"},{"receiver":"c","status":0}]}'
    )
    result = read_broadcast(answer, [USER, OTHER, "a", "b", "c"])
    taken = Receipt(status="accepted", keys=(f"m:{USER}:5931260000000000001",))
    assert result.receipts == {USER: taken}
    kinds = {user: type(error) for user, error in result.failed.items()}
    assert kinds == {OTHER: errors.RecipientOptedOut, "a": errors.Unreachable, "b": errors.Unavailable, "c": errors.Unavailable}
    assert result.failed[OTHER].provider_text == "Not subscribed"


@pytest.mark.parametrize(
    "answer", [{"status": 0}, {"message_token": 1, "failed_list": {}}, {"message_token": 1, "failed_list": [{"status": 6}]}]
)
def test_what_cannot_be_read_of_a_broadcast_is_nobodys_success(answer: dict[str, Any]) -> None:
    with pytest.raises(errors.OutcomeUnknown):
        read_broadcast(answer, [USER])


# --- health and settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "level", "cause"),
    [
        ({"status": 0, "id": "pa:1", "webhook": "https://hub.example.org/x"}, "ok", "fine"),
        ({"status": 0, "id": "pa:1", "webhook": ""}, "attention", "webhook_missing"),
        ({"status": 9, "status_message": "suspended"}, "attention", "suspended"),
    ],
)
async def test_the_account_says_how_it_is(answer: dict[str, Any], level: str, cause: str) -> None:
    with respx.mock:
        respx.post("https://chatapi.viber.com/pa/get_account_info").respond(json=answer)
        async with client() as http:
            (event,) = await connector.check(account(), http)
    assert (event.level, event.cause) == (level, cause)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("auth_token", "short"),
        ("sender_name", ""),
        ("sender_name", "x" * 29),
        ("sender_avatar", "http://x/a.png"),
        ("base_url", "chatapi.viber.com"),
    ],
)
def test_what_cannot_be_is_refused(field: str, typed: str) -> None:
    with pytest.raises(ValueError):
        account(**{field: typed})
