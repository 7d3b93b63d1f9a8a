"""What signal-cli sends, and what becomes of it; as strict as it, and stricter: a parameter that it would overlook in silence is
refused, since it is a mistake of the hub."""

import base64
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote_plus

from hub.core import clock
from hub.core.errors import NotFound
from hub.sandbox.faults import Faults
from hub.sandbox.messengers import PhoneFile, PhoneLine, PhoneSpan, Style
from hub.sandbox.signal.calls import Failure, Params, must_be_known, only, recipient_of, texts
from hub.sandbox.signal.envelopes import Json
from hub.sandbox.signal.phone import SignalPhone
from hub.sandbox.signal.world import Person, World

STYLES: Final[dict[str, Style | None]] = {
    "BOLD": "bold", "ITALIC": "italic", "STRIKETHROUGH": "strike", "MONOSPACE": "code", "SPOILER": None,
}  # fmt: skip
"""The sandbox's phone shows no spoiler."""
STYLE: Final = re.compile(r"(\d+):(\d+):([A-Z]+)")
DATA: Final = re.compile(r"data:([^;,]+/[^;,]+)(?:;filename=([^;,]*))?;base64,([A-Za-z0-9+/]+=*)")
LIMIT_SECONDS: Final = 3600
FAILED: Final = "Failed to send message"
KINDS: Final = {"image": "image", "video": "video", "audio": "audio"}


class Sending:
    def __init__(self, world: World, faults: Faults, phone: SignalPhone) -> None:
        self._world = world
        self._faults = faults
        self._phone = phone

    def send(self, params: Params) -> Json:
        names = {"recipient", "message", "attachments", "textStyle", "quoteTimestamp", "quoteAuthor", "editTimestamp", "voiceNote"}
        only(params, names)
        message = params.get("message", "")
        if not isinstance(message, str):
            raise Failure(-32600, "Cannot deserialize value of message")
        files = [_file(one) for one in texts(params, "attachments")]
        if not message and not files:
            raise Failure(-1, "Sending empty message is not allowed, either a message, attachment or sticker must be given.")
        spans = _spans(message, texts(params, "textStyle"))
        quoted = self._quoted(params)
        person = self._reach(params)
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

    def remote_delete(self, params: Params) -> Json:
        only(params, {"recipient", "targetTimestamp"})
        person = self._reach(params)
        line = self._our_line(person, params.get("targetTimestamp"))
        if line is not None:
            self._world.chat(person.uuid).change(line.id, lambda one: replace(one, text="", files=(), is_deleted=True))
        return _sent(person, self._world.stamp())

    def react(self, params: Params) -> Json:
        only(params, {"recipient", "emoji", "targetAuthor", "targetTimestamp", "remove"})
        emoji, target = params.get("emoji"), params.get("targetTimestamp")
        if not isinstance(emoji, str) or not emoji or type(target) is not int:
            raise Failure(-1, "emoji and targetTimestamp are needed")
        person = self._reach(params)
        if params.get("targetAuthor") not in (person.uuid, person.number, self._world.account.number, self._world.account.uuid):
            raise Failure(-1, "The author is nobody of this chat")
        chat = self._world.chat(person.uuid)
        if chat.has(str(target)):
            chat.change(str(target), lambda one: replace(one, reactions=() if params.get("remove") else (emoji,)))
        return _sent(person, self._world.stamp())

    def receipt(self, params: Params) -> Json:
        only(params, {"recipient", "targetTimestamp", "type"})
        if params.get("type", "read") not in ("read", "viewed"):
            raise Failure(-1, f"Unknown receipt type: {params['type']}")
        targets = params.get("targetTimestamp")
        if not isinstance(targets, list) or not targets or any(type(one) is not int for one in targets):
            raise Failure(-1, "targetTimestamp is needed")
        person = self._reach(params)
        chat = self._world.chat(person.uuid)
        for target in targets:
            if chat.has(str(target)) and not chat.line(str(target)).is_theirs:
                chat.change(str(target), lambda one: replace(one, state="read"))
        return _sent(person, self._world.stamp())

    def typing(self, params: Params) -> Json:
        only(params, {"recipient", "stop"})
        person = self._reach(params)
        self._world.chat(person.uuid).is_typing = not params.get("stop")
        return _sent(person, self._world.stamp())

    def _reach(self, params: Params) -> Person:
        """Whom it goes to. Raises Failure as Signal's servers, or the keys that are known, would have it."""
        must_be_known(self._world, self._faults)
        address, person = recipient_of(self._world, params)
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
            raise Failure(-1, FAILED, [_result(person, address, str(refused.values.get("code", "UNREGISTERED_FAILURE")))])
        if person is None:
            raise Failure(-1, FAILED, [_result(None, address, "UNREGISTERED_FAILURE")])
        if not person.is_trusted:
            raise Failure(-4, "Failed to send message due to untrusted identities", [_result(person, address, "IDENTITY_FAILURE")])
        return person

    def _our_line(self, person: Person, target: object) -> PhoneLine | None:
        """None where the app does not have it any more, or never did: it overlooks what speaks of that."""
        if type(target) is not int:
            raise Failure(-1, "the target's timestamp is needed")
        try:
            line = self._world.chat(person.uuid).line(str(target))
        except NotFound:
            return None
        return line if line.is_theirs else None

    def _quoted(self, params: Params) -> str:
        if "quoteTimestamp" not in params:
            return ""
        if type(params["quoteTimestamp"]) is not int or not isinstance(params.get("quoteAuthor"), str):
            raise Failure(-1, "Quote author parameter is missing")
        return str(params["quoteTimestamp"])


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
