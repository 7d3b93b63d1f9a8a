"""What only WhatsApp has, at the press of a button (provider file, 5 and 7)."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from hub.core import clock
from hub.sandbox.whatsapp.webhooks import Webhooks
from hub.sandbox.whatsapp.world import Chat, Line, Number, new_wamid

if TYPE_CHECKING:
    from hub.sandbox.whatsapp.phone import WhatsAppPhone

Extra = Callable[["WhatsAppPhone", Webhooks, Number, Chat], None]


def _order(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    item = {"product_retailer_id": "SKU-4471-M", "quantity": 2, "item_price": 49.9, "currency": "EUR"}
    said = {"catalog_id": "660018839241177", "text": "Bitte mit Rechnung", "product_items": [item]}
    phone.say(chat, "order", said, text="2 × SKU-4471-M, 99,80 EUR")


def _form(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    answers = json.dumps({"flow_token": "t-8812", "Bewertung": "4", "Filiale": "Mitte"})
    said = {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": answers}}
    phone.say(chat, "interactive", said, text="Formular")


def _ad(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    referral = {"source_url": "https://fb.me/3exAmpLe", "source_id": "120330045518870", "source_type": "ad"}
    extra = {"referral": referral | {"headline": "Kinderräder", "body": "Jetzt beraten lassen", "ctwa_clid": "ARAexample"}}
    text = "Hallo, ich komme von der Anzeige."
    phone.say(chat, "text", {"body": text}, text=text, extra=extra)


def _poll(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    error = {"code": 131051, "title": "Message type unknown", "message": "Message type unknown"}
    details = {"error_data": {"details": "Message type is currently not supported."}}
    phone.say(chat, "unsupported", {"type": "poll_creation"}, text="Umfrage", extra={"errors": [error | details]})


def _stop(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    chat.no_marketing = True
    webhooks.preference(chat, "stop")


def _resume(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    chat.no_marketing = False
    webhooks.preference(chat, "resume")


def _username(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    """From here on the business is told the id alone."""
    chat.person.username = chat.person.username or chat.person.name.split()[0].lower()
    chat.person.hides_number = True
    text = "Ich habe jetzt einen Nutzernamen."
    phone.say(chat, "text", {"body": text}, text=text)


def _new_number(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    """The same person under another number, and so under another id."""
    person = chat.person
    old, old_id = person.phone, person.bsuid
    person.phone = f"{old[:-1]}{(int(old[-1]) + 5) % 10}"
    person.bsuid = f"DE.{int(old_id[3:]) + 1:017}"
    number.chats[person.phone] = number.chats.pop(old)
    system = {"body": f"User {person.name} changed from {old} to {person.phone}", "type": "user_changed_number"}
    system |= {"wa_id": person.phone, "user_id": person.bsuid, "previous_user_id": old_id}
    frame = {"from": old, "id": new_wamid(), "timestamp": str(int(clock.now().timestamp()))}
    webhooks.system(chat, frame | {"type": "system", "system": system})


def _agent(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    """The automatic agent holds the conversation: a question of the customer's, and its answer."""
    asked = Line(new_wamid(), clock.now(), False, "text", {}, "Ist jemand da?")
    told = Line(new_wamid(), clock.now(), True, "text", {}, "Hallo, ich bin der Assistent.")
    chat.lines += [asked, told]
    chat.wrote_at = asked.at
    webhooks.standby(chat, messages=[phone.frame(chat, asked) | {"type": "text", "text": {"body": asked.text}}])
    request: dict[str, Any] = {"messaging_product": "whatsapp", "to": chat.person.phone, "recipient_type": "individual"}
    request |= {"type": "text", "text": {"body": told.text}, "context": {"message_id": asked.id}}
    echo = {"id": told.id, "timestamp": str(int(told.at.timestamp())), "message": request}
    webhooks.standby(chat, message_echoes=[echo])


def _colleague(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    """Somebody at the business answers from their own phone."""
    told = Line(new_wamid(), clock.now(), True, "text", {}, "Antwort vom Handy")
    chat.lines.append(told)
    message: dict[str, Any] = {"from": number.phone, "to": chat.person.phone, "to_user_id": chat.person.bsuid, "id": told.id}
    message |= {"timestamp": str(int(told.at.timestamp())), "type": "text", "text": {"body": told.text}}
    webhooks.echo(chat, message)


def _history(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    """The phone app hands over what was written before the number was connected, and what was written since once more, with the
    name that its address book has for the person."""
    long_ago = clock.now() - timedelta(days=40)
    earlier = [
        Line(new_wamid(), long_ago, False, "text", {"body": "Haben Sie samstags auf?"}, "Haben Sie samstags auf?"),
        Line(
            new_wamid(), long_ago + timedelta(minutes=5), True, "text", {"body": "Ja, von 9 bis 13 Uhr."}, "Ja, von 9 bis 13 Uhr."
        ),
    ]
    chat.lines[:0] = earlier
    webhooks.history(chat, [line for line in chat.lines if line.kind == "text"])
    webhooks.address_book(chat)


def _restricted(phone: "WhatsAppPhone", webhooks: Webhooks, number: Number, chat: Chat) -> None:
    number.is_restricted = True
    kinds = [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": int(clock.now().timestamp()) + 86400}]
    webhooks.affair("account_update", {"event": "ACCOUNT_RESTRICTION", "restriction_info": kinds})


EXTRAS: Final[dict[str, Extra]] = {
    "order": _order,
    "form": _form,
    "ad": _ad,
    "poll": _poll,
    "stop": _stop,
    "resume": _resume,
    "username": _username,
    "new_number": _new_number,
    "agent": _agent,
    "colleague": _colleague,
    "history": _history,
    "restricted": _restricted,
}
