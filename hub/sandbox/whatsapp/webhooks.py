"""Webhooks in both roads' shapes: the same body, with 360dialog's headers and signature or with Meta's (provider file, 2 to 7)."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from hub.core import clock
from hub.sandbox.courier import Courier, Outgoing
from hub.sandbox.whatsapp.errors import status_error
from hub.sandbox.whatsapp.world import Chat, Line, Number, Person

Json = dict[str, Any]


class Webhooks:
    """Carries what happens to whoever registered for it."""

    def __init__(self, number: Number, courier: Courier) -> None:
        self._number = number
        self._courier = courier

    def messages(self, chat: Chat, messages: Sequence[Json]) -> None:
        """Messages of a person."""
        self._send("messages", self._value(contacts=[contact(chat.person)], messages=list(messages)), chat.person.phone)

    def echo(self, chat: Chat, message: Json) -> None:
        """A message that a colleague sent from the phone app."""
        self._send("smb_message_echoes", self._value(contacts=[contact(chat.person)], message_echoes=[message]), chat.person.phone)

    def history(self, chat: Chat, lines: Sequence[Line]) -> None:
        """Messages of one thread that the phone app hands over."""
        messages = [
            {
                "from": self._number.phone if line.is_theirs else chat.person.phone,
                "id": line.id,
                "timestamp": str(int(line.at.timestamp())),
                "type": line.kind,
                line.kind: {"body": line.text},
                "history_context": {"status": "READ"},
            }
            for line in lines
        ]
        about = {"phase": 1, "chunk_order": 1, "progress": 100}
        chunk = {"metadata": about, "threads": [{"id": chat.person.phone, "messages": messages}]}
        self._send("history", self._value(history=[chunk]), chat.person.phone)

    def address_book(self, chat: Chat) -> None:
        """An entry of the phone app's address book."""
        about = {"full_name": chat.person.name, "phone_number": chat.person.phone}
        entry = {"type": "contact", "contact": about, "action": "add", "metadata": {"timestamp": str(int(clock.now().timestamp()))}}
        self._send("smb_app_state_sync", self._value(state_sync=[entry]), chat.person.phone)

    def system(self, chat: Chat, message: Json) -> None:
        """A message about a person, which names no contacts."""
        self._send("messages", self._value(messages=[message]), chat.person.phone)

    def standby(self, chat: Chat, **inner: Any) -> None:
        """The automatic agent holds this conversation: one level deeper."""
        self._send("standby", self._value(standby={"contacts": [contact(chat.person)], **inner}), chat.person.phone)

    def status(self, chat: Chat, line: Line, word: str, **more: Any) -> None:
        """What became of a message of the business. A failed one names no contacts."""
        status: Json = {"id": line.id, "status": word, "timestamp": str(int(clock.now().timestamp()))}
        if not chat.person.hides_number:
            status["recipient_id"] = chat.person.phone
        status |= {"recipient_user_id": chat.person.bsuid} | more
        value = self._value(statuses=[status])
        if word != "failed":
            value["contacts"] = [contact(chat.person)]
        self._send("messages", value, chat.person.phone)

    def failed(self, chat: Chat, line: Line, code: int, details: str) -> None:
        self.status(chat, line, "failed", errors=[status_error(code, details)])

    def preference(self, chat: Chat, value: str) -> None:
        """A person's word about marketing, said in WhatsApp itself."""
        wish = {
            "wa_id": chat.person.phone,
            "user_id": chat.person.bsuid,
            "detail": f"User requested to {value} marketing messages",
            "category": "marketing_messages",
            "value": value,
            "timestamp": int(clock.now().timestamp()),
        }
        self._send("user_preferences", self._value(contacts=[contact(chat.person)], user_preferences=[wish]), chat.person.phone)

    def affair(self, field: str, value: Json) -> None:
        """Something about the account itself, without a number."""
        self._send(field, value, field)

    def _value(self, **more: Any) -> Json:
        metadata = {"display_phone_number": self._number.phone, "phone_number_id": self._number.id}
        return {"messaging_product": "whatsapp", "metadata": metadata} | more

    def _send(self, field: str, value: Json, queue: str) -> None:
        number = self._number
        entry = {"id": number.waba_id, "time": int(clock.now().timestamp()), "changes": [{"field": field, "value": value}]}
        body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()  # umlauts as escapes, as Meta's
        if number.at_360dialog.url:
            signature = {"x-360dialog-signature": sign(body, number.platform_secret)}
            headers = {"content-type": "application/json", **number.at_360dialog.headers, **signature}
            self._courier.send(Outgoing(number.at_360dialog.url, body, headers), queue=f"360:{queue}")
        wanted = number.at_meta.fields
        if number.at_meta.url and number.is_subscribed and (not wanted or field in wanted):
            headers = {"content-type": "application/json", "x-hub-signature-256": f"sha256={sign(body, number.app_secret)}"}
            self._courier.send(Outgoing(number.at_meta.url, body, headers), queue=f"meta:{queue}")


def contact(person: Person) -> Json:
    """Who somebody is, as far as the business is told."""
    profile: Json = {"name": person.name} | ({"username": person.username} if person.username else {})
    number = {} if person.hides_number else {"wa_id": person.phone}
    return {"profile": profile, **number, "user_id": person.bsuid}


def sign(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
