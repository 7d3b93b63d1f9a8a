"""POST …/messages: messages, reactions, read marks; and what comes after a message (provider file, 6 and 8)."""

from datetime import timedelta
from typing import Any

from hub.core import clock
from hub.sandbox.whatsapp.checks import Shown, check, recipient_of
from hub.sandbox.whatsapp.errors import Refused, invalid, missing
from hub.sandbox.whatsapp.webhooks import Webhooks
from hub.sandbox.whatsapp.world import Chat, Line, Number, new_wamid

Json = dict[str, Any]
TYPING_SECONDS = 25
"""How long the bubble shows (provider file, 8)."""


class Sending:
    def __init__(self, number: Number, webhooks: Webhooks) -> None:
        self._number = number
        self._webhooks = webhooks

    def take(self, body: Json) -> Json:
        """The answer to a request; what follows of it is on its way. Raises Refused."""
        if "status" in body:
            return self._read(body)
        chat = recipient_of(body, self._number)
        is_template = body.get("type") == "template"
        if body.get("type") == "reaction":
            return self._react(body, chat)
        shown = check(body, chat, self._number)
        if shown.category == "authentication" and "to" not in body:
            raise Refused(131062, "Authentication templates need a phone number")
        if not is_template and not chat.is_open():
            raise Refused(131047, "Message failed to send because more than 24 hours have passed since the customer last replied.")
        if not chat.pays():
            raise Refused(131056, "Too many messages to the same recipient")
        line = self._show(body, chat, shown)
        self._follow(chat, line, shown)
        return self._answer(body, chat, line.id, is_template)

    def _show(self, body: Json, chat: Chat, shown: Shown) -> Line:
        """On the phone. An answered message that is not there is ignored in silence."""
        answered = (body.get("context") or {}).get("message_id", "")
        known = any(one.id == answered for one in chat.lines)
        line = Line(
            id=new_wamid(),
            at=clock.now(),
            is_theirs=True,
            kind=body.get("type", "text"),
            said=body,
            text=shown.text,
            files=shown.files,
            place=shown.place,
            buttons=shown.buttons,
            reply_to=answered if known else "",
        )
        if not chat.is_blocked and not (shown.category == "marketing" and chat.no_marketing):
            chat.lines.append(line)
        chat.typing_until = None
        return line

    def _follow(self, chat: Chat, line: Line, shown: Shown) -> None:
        """Its statuses. A person who blocked the business is not named as such: the message cannot be delivered."""
        if shown.category == "marketing" and chat.no_marketing:
            self._webhooks.failed(chat, line, 131050, "Recipient has chosen to stop receiving marketing messages")
            return
        self._webhooks.status(chat, line, "sent", pricing=_price(shown.category))
        if chat.is_blocked:
            self._webhooks.failed(chat, line, 131026, "Message undeliverable.")
            return
        self._webhooks.status(chat, line, "delivered")

    def _answer(self, body: Json, chat: Chat, message_id: str, is_template: bool) -> Json:
        person = chat.person
        asked = body.get("to") or body.get("recipient")
        who = {"input": asked, "user_id": person.bsuid} | ({} if person.hides_number else {"wa_id": person.phone})
        message = {"id": message_id} | ({"message_status": "accepted"} if is_template else {})
        return {"messaging_product": "whatsapp", "contacts": [who], "messages": [message]}

    def _react(self, body: Json, chat: Chat) -> Json:
        """Only a `sent` follows."""
        reaction = body.get("reaction")
        if not isinstance(reaction, dict) or not isinstance(reaction.get("emoji"), str):
            raise missing("reaction with message_id and emoji")
        target = next((one for one in chat.lines if one.id == reaction.get("message_id")), None)
        if target is None:
            raise invalid("reaction to a message that is not there")
        if not chat.is_open():
            raise Refused(131047, "Message failed to send because more than 24 hours have passed.")
        target.reactions = {**target.reactions, "us": reaction["emoji"]}
        line = Line(new_wamid(), clock.now(), True, "reaction", body)
        self._webhooks.status(chat, line, "sent")
        return self._answer(body, chat, line.id, False)

    def _read(self, body: Json) -> Json:
        """A read mark, with typing where it is asked for. It needs a message that came in."""
        target = body.get("message_id")
        found = [
            (chat, line) for chat in self._number.chats.values() for line in chat.lines if line.id == target and not line.is_theirs
        ]
        if body.get("messaging_product") != "whatsapp" or body.get("status") != "read" or not found:
            raise invalid("message_id of a received message, status read")
        if "typing_indicator" in body and body["typing_indicator"] != {"type": "text"}:
            raise invalid("typing_indicator type")
        chat, newest = found[0]
        for line in chat.lines[: chat.lines.index(newest) + 1]:
            if not line.is_theirs:
                line.state = "read"
        if "typing_indicator" in body:
            chat.typing_until = clock.now() + timedelta(seconds=TYPING_SECONDS)
        return {"success": True}


def _price(category: str) -> Json:
    is_free = category == "service"
    kind = "free_customer_service" if is_free else "regular"
    return {"billable": not is_free, "pricing_model": "PMP", "type": kind, "category": category}
