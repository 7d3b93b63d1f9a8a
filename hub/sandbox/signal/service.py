"""What signal-cli does, whichever road asks for it; as strict as it, and stricter: a parameter that it would overlook in silence is
refused, since it is a mistake of the hub."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote_plus

from hub.core import clock
from hub.core.errors import NotFound
from hub.sandbox.faults import Faults
from hub.sandbox.messengers import PhoneFile, PhoneLine, PhoneSpan, Style
from hub.sandbox.signal.envelopes import Json
from hub.sandbox.signal.mailbox import Mailbox
from hub.sandbox.signal.phone import SignalPhone
from hub.sandbox.signal.world import Account, Person, World

VERSION: Final = "0.14.6"
STYLES: Final[dict[str, Style | None]] = {
    "BOLD": "bold", "ITALIC": "italic", "STRIKETHROUGH": "strike", "MONOSPACE": "code", "SPOILER": None,
}  # fmt: skip
"""The sandbox's phone shows no spoiler."""
STYLE: Final = re.compile(r"(\d+):(\d+):([A-Z]+)")
DATA: Final = re.compile(r"data:([^;,]+/[^;,]+)(?:;filename=([^;,]*))?;base64,([A-Za-z0-9+/]+=*)")
NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LIMIT_SECONDS: Final = 3600
FAILED: Final = "Failed to send message"
KINDS: Final = {"image": "image", "video": "video", "audio": "audio"}


class Failure(Exception):
    """A call that did not succeed: code and words of JSON-RPC, and what became of each recipient."""

    def __init__(self, code: int, words: str, results: Sequence[Json] = ()) -> None:
        super().__init__(words)
        self.code = code
        self.words = words
        self.results = list(results)


class SignalCli:
    def __init__(self, world: World, faults: Faults, mailbox: Mailbox, phone: SignalPhone) -> None:
        self._world = world
        self._faults = faults
        self._mailbox = mailbox
        self._phone = phone

    def account(self, number: object) -> Account:
        if number != self._world.account.number:
            raise Failure(-32602, "Specified account does not exist")
        return self._world.account

    def must_be_known(self) -> None:
        """Signal's servers refuse an account that was logged out."""
        if self._faults.take("unauthorised") or not self._world.account.is_registered:
            raise Failure(-3, "[401] Authorization failed! (AuthorizationFailedException)")

    async def receive(self, params: Mapping[str, Any]) -> Sequence[Json]:
        """Only these two parameters, which the real one reads into a record."""
        self._only(params, {"timeout", "maxMessages"}, code=-32600)
        if self._world.account.receives:
            raise Failure(-1, "Receive command cannot be used if messages are already being received.")
        self.must_be_known()
        timeout, most = params.get("timeout", 3.0), params.get("maxMessages", -1)
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or type(most) is not int:
            raise Failure(-32600, "Cannot deserialize value")
        return await self._mailbox.take(float(timeout), most)

    def status(self, params: Mapping[str, Any]) -> Sequence[Json]:
        self._only(params, {"recipient", "username"})
        self.must_be_known()
        account = self._world.account
        found = []
        for number in self._texts(params, "recipient"):
            if not NUMBER.fullmatch(number):
                raise Failure(-1, f"Invalid phone number '{number}'")
            person = self._world.find(number)
            uuid = account.uuid if number == account.number else person.uuid if person else None
            found.append({"recipient": number, "number": number, "uuid": uuid, "isRegistered": uuid is not None})
        for name in self._texts(params, "username"):
            named = next((one for one in self._world.people.values() if one.username == name), None)
            uuid = named.uuid if named else None
            found.append({"recipient": name, "username": name, "uuid": uuid, "isRegistered": uuid is not None})
        return found

    def identities(self) -> Sequence[Json]:
        return [
            {
                "number": person.number or None,
                "uuid": person.uuid,
                "fingerprint": "05",
                "safetyNumber": "12345" * 12,
                "scannableSafetyNumber": None,
                "trustLevel": "TRUSTED_UNVERIFIED" if person.is_trusted else "UNTRUSTED",
                "addedTimestamp": 1771232400123,
            }
            for person in self._world.people.values()
        ]

    def trust(self, params: Mapping[str, Any]) -> Json:
        """What was kept until now arrives, late and with its old time."""
        self._only(params, {"recipient", "trustAllKnownKeys", "verifiedSafetyNumber"})
        (person,) = self._recipients(params)
        if person is None or not (params.get("trustAllKnownKeys") or params.get("verifiedSafetyNumber")):
            raise Failure(-1, "Failed to set the trust for this number, make sure the number is correct.")
        person.is_trusted = True
        held, person.held = person.held, []
        for envelope in held:
            self._mailbox.put(envelope)
        return {}

    def submit_challenge(self, params: Mapping[str, Any]) -> Json:
        self._only(params, {"challenge", "captcha"})
        account = self._world.account
        if params.get("challenge") != account.challenge or not str(params.get("captcha", "")).startswith("signalcaptcha://"):
            raise Failure(-6, "Captcha rejected, it may be outdated, already used or solved from a different IP address.")
        account.challenge = ""
        return {}

    def attachment(self, id_: object) -> bytes:
        if not isinstance(id_, str) or not id_:
            raise Failure(-1, "Missing attachment id parameter")
        content = self._world.attachments.get(id_)
        if content is None or self._faults.take("file_gone"):
            raise Failure(-1, f"Could not find attachment with ID: {id_}")
        return content

    def sticker(self, params: Mapping[str, Any]) -> bytes:
        self._only(params, {"packId", "stickerId"})
        content = self._world.stickers.get((params.get("packId", ""), params.get("stickerId", -1)))
        if content is None:
            raise Failure(-1, f"Could not find sticker with ID: {params.get('stickerId')} in pack {params.get('packId')}")
        return content

    # --- sending

    def send(self, params: Mapping[str, Any]) -> Json:
        names = {"recipient", "message", "attachments", "textStyle", "quoteTimestamp", "quoteAuthor", "editTimestamp", "voiceNote"}
        self._only(params, names)
        message = params.get("message", "")
        if not isinstance(message, str):
            raise Failure(-32600, "Cannot deserialize value of message")
        files = [_file(one) for one in self._texts(params, "attachments")]
        if not message and not files:
            raise Failure(-1, "Sending empty message is not allowed, either a message, attachment or sticker must be given.")
        spans = _spans(message, self._texts(params, "textStyle"))
        quoted = self._quoted(params)
        (person,) = self._reach(params)
        if "editTimestamp" in params:
            return self._edit(person, params["editTimestamp"], message, spans)
        timestamp = self._world.stamp()
        kept = [
            self._world.keep_file(replace(file, id=f"{timestamp}-{place}"), content) for place, (file, content) in enumerate(files)
        ]
        if params.get("voiceNote"):
            kept = [self._world.keep_file(replace(one, kind="voice"), self._world.files[one.id][1]) for one in kept]
        line = PhoneLine(
            id=str(timestamp),
            at=clock.now(),
            is_theirs=True,
            text=message,
            spans=spans,
            files=tuple(kept),
            reply_to=quoted if quoted and self._world.chat(person.uuid).has(quoted) else "",
        )
        self._phone.take(person, line, timestamp)
        return _sent(person, timestamp)

    def _edit(self, person: Person, target: object, message: str, spans: tuple[PhoneSpan, ...]) -> Json:
        line = self._our_line(person, target)
        timestamp = self._world.stamp()
        if line is not None:
            self._world.chat(person.uuid).change(line.id, lambda one: replace(one, text=message, spans=spans, is_edited=True))
        return _sent(person, timestamp)

    def remote_delete(self, params: Mapping[str, Any]) -> Json:
        self._only(params, {"recipient", "targetTimestamp"})
        (person,) = self._reach(params)
        line = self._our_line(person, params.get("targetTimestamp"))
        if line is not None:
            self._world.chat(person.uuid).change(line.id, lambda one: replace(one, text="", files=(), is_deleted=True))
        return _sent(person, self._world.stamp())

    def react(self, params: Mapping[str, Any]) -> Json:
        self._only(params, {"recipient", "emoji", "targetAuthor", "targetTimestamp", "remove"})
        emoji, target = params.get("emoji"), params.get("targetTimestamp")
        if not isinstance(emoji, str) or not emoji or type(target) is not int:
            raise Failure(-1, "emoji and targetTimestamp are needed")
        (person,) = self._reach(params)
        if params.get("targetAuthor") not in (person.uuid, person.number, self._world.account.number, self._world.account.uuid):
            raise Failure(-1, "The author is nobody of this chat")
        chat = self._world.chat(person.uuid)
        if chat.has(str(target)):
            chat.change(str(target), lambda one: replace(one, reactions=() if params.get("remove") else (emoji,)))
        return _sent(person, self._world.stamp())

    def receipt(self, params: Mapping[str, Any]) -> Json:
        self._only(params, {"recipient", "targetTimestamp", "type"})
        if params.get("type", "read") not in ("read", "viewed"):
            raise Failure(-1, f"Unknown receipt type: {params['type']}")
        targets = params.get("targetTimestamp")
        if not isinstance(targets, list) or not targets or any(type(one) is not int for one in targets):
            raise Failure(-1, "targetTimestamp is needed")
        (person,) = self._reach(params)
        chat = self._world.chat(person.uuid)
        for target in targets:
            if chat.has(str(target)) and not chat.line(str(target)).is_theirs:
                chat.change(str(target), lambda one: replace(one, state="read"))
        return _sent(person, self._world.stamp())

    def typing(self, params: Mapping[str, Any]) -> Json:
        self._only(params, {"recipient", "stop"})
        (person,) = self._reach(params)
        self._world.chat(person.uuid).is_typing = not params.get("stop")
        return _sent(person, self._world.stamp())

    # --- what is common to them

    def _reach(self, params: Mapping[str, Any]) -> tuple[Person]:
        """Whom it goes to. Raises Failure as Signal's servers, or the keys that are known, would have it."""
        self.must_be_known()
        (person,) = self._recipients(params)
        address = params["recipient"][0] if isinstance(params["recipient"], list) else params["recipient"]
        if limited := self._faults.take("rate_limited"):
            wait = limited.wait() if "retry_after" in limited.values else LIMIT_SECONDS
            result = _result(person, address, "RATE_LIMIT_FAILURE") | {"retryAfterSeconds": wait}
            raise Failure(-5, "Failed to send message due to rate limiting", [result])
        if self._faults.take("captcha"):
            self._world.account.challenge = "a1b2c3d4-challenge-token"
        if challenge := self._world.account.challenge:
            result = _result(person, address, "RATE_LIMIT_FAILURE") | {"token": challenge, "retryAfterSeconds": LIMIT_SECONDS}
            raise Failure(-5, "Failed to send message due to rate limiting", [result])
        if refused := self._faults.take("refused"):
            raise Failure(-1, FAILED, [_result(person, address, str(refused.values.get("code", "NETWORK_FAILURE")))])
        if person is None:
            raise Failure(-1, FAILED, [_result(None, address, "UNREGISTERED_FAILURE")])
        if not person.is_trusted:
            raise Failure(-4, "Failed to send message due to untrusted identities", [_result(person, address, "IDENTITY_FAILURE")])
        return (person,)

    def _recipients(self, params: Mapping[str, Any]) -> tuple[Person | None]:
        """The one that is named; None for nobody on Signal."""
        named = self._texts(params, "recipient")
        if len(named) != 1:
            raise Failure(-1, "No recipients given" if not named else "one recipient at a time")
        if not (NUMBER.fullmatch(named[0]) or UUID.fullmatch(named[0])):
            raise Failure(-1, f"Invalid phone number '{named[0]}'")
        return (self._world.find(named[0]),)

    def _our_line(self, person: Person, target: object) -> PhoneLine | None:
        """None where the app does not have it any more, or never did: it overlooks what speaks of that."""
        if type(target) is not int:
            raise Failure(-1, "the target's timestamp is needed")
        try:
            line = self._world.chat(person.uuid).line(str(target))
        except NotFound:
            return None
        return line if line.is_theirs else None

    def _quoted(self, params: Mapping[str, Any]) -> str:
        if "quoteTimestamp" not in params:
            return ""
        if type(params["quoteTimestamp"]) is not int or not isinstance(params.get("quoteAuthor"), str):
            raise Failure(-1, "Quote author parameter is missing")
        return str(params["quoteTimestamp"])

    def _texts(self, params: Mapping[str, Any], name: str) -> list[str]:
        """A list, or a single value that stands for one."""
        value = params.get(name, [])
        values = value if isinstance(value, list) else [value]
        if any(not isinstance(one, str) for one in values):
            raise Failure(-32600, f"Cannot deserialize value of {name}")
        return values

    def _only(self, params: Mapping[str, Any], known: set[str], *, code: int = -1) -> None:
        if unknown := params.keys() - known:
            raise Failure(code, f"Unrecognized field {', '.join(sorted(unknown))}")


def _result(person: Person | None, address: str, kind: str) -> Json:
    uuid = person.uuid if person else None
    number = person.number or None if person else address if address.startswith("+") else None
    return {"recipientAddress": {"uuid": uuid, "number": number, "username": None}, "type": kind}


def _sent(person: Person, timestamp: int) -> Json:
    return {"timestamp": timestamp, "results": [_result(person, person.uuid, "SUCCESS")]}


def _file(uri: str) -> tuple[PhoneFile, bytes]:
    found = DATA.fullmatch(uri)
    if found is None:
        raise Failure(-32603, "Failed to send message: no such file (AttachmentInvalidException)")
    content = base64.b64decode(found[3], validate=True)
    mime, name = found[1], unquote_plus(found[2] or "")
    kind: Any = KINDS.get(mime.partition("/")[0], "document")
    return PhoneFile(id="", kind=kind, name=name, mime=mime, size=len(content)), content


def _spans(message: str, styles: Sequence[str]) -> tuple[PhoneSpan, ...]:
    spans = []
    units = message.encode("utf-16-le")
    for style in styles:
        found = STYLE.fullmatch(style)
        if found is None or found[3] not in STYLES:
            raise Failure(-1, f"Invalid textStyle syntax ({style}) expected 'start:length:STYLE'")
        start, length = int(found[1]), int(found[2])
        if length < 1 or (start + length) * 2 > len(units):
            raise Failure(-1, f"The style {style} lies outside of the text")
        before, inside = units[: start * 2].decode("utf-16-le"), units[start * 2 : (start + length) * 2].decode("utf-16-le")
        if kind := STYLES[found[3]]:
            spans.append(PhoneSpan(start=len(before), end=len(before) + len(inside), style=kind))
    return tuple(spans)
