"""What the control API shows of bots, people and chats."""

from typing import Final

from hub.core import clock
from hub.sandbox.telegram.chats import Chat, Entry, Person, timeline
from hub.sandbox.telegram.methods.account import webhook_info
from hub.sandbox.telegram.updates import Update
from hub.sandbox.telegram.wire import Json
from hub.sandbox.telegram.world import Bot

DELIVERIES_SHOWN: Final = 20


def show_person(person: Person) -> Json:
    return {
        "id": person.id,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "username": person.username,
        "language_code": person.language_code,
    }


def show_bot(bot: Bot) -> Json:
    """Without its token."""
    deliveries = list(bot.deliveries)[-DELIVERIES_SHOWN:]
    return {
        "id": bot.id,
        "name": bot.name,
        "username": bot.username,
        "webhook": webhook_info(bot),
        "deliveries": [
            {
                "update_id": delivery.update_id,
                "kind": delivery.kind,
                "attempt": delivery.attempt,
                "at": delivery.at.timestamp(),
                "status": delivery.status,
                "milliseconds": round(delivery.milliseconds, 1),
                "error": delivery.error,
                "again_in": delivery.again_in,
            }
            for delivery in deliveries
        ],
    }


def show_update(update: Update) -> Json:
    return {"update_id": update.id, "kind": update.kind, "state": update.state}


def show_chat(bot: Bot, chat: Chat) -> Json:
    """`entries` are ordered by time; `update` of one tells what became of it on the way to the bot. `pressed` are the buttons that
    nobody has answered yet, `keyboard` the one below the text field."""
    return {
        "bot": {"id": bot.id, "name": bot.name, "username": bot.username},
        "person": show_person(chat.person),
        "is_open": chat.is_open,
        "is_blocked": chat.is_blocked,
        "is_typing": chat.is_typing(),
        "keyboard": chat.keyboard,
        "pressed": [
            {"message_id": query.message_id, "data": query.data}
            for query in bot.open_queries.values()
            if query.chat is chat and query.ends_at > clock.now()
        ],
        "entries": [show_entry(entry) for entry in timeline(chat)],
    }


def show_entry(entry: Entry) -> Json:
    """A message of either side (`message` is Telegram's object), or an event: blocked, unblocked, answer, elsewhere."""
    return {
        "at": entry.at,
        "from": "bot" if entry.from_bot else "person",
        "message": None if entry.is_deleted else entry.message,
        "message_id": entry.message["message_id"] if entry.message else None,
        "event": entry.event,
        "text": entry.text,
        "is_alert": entry.is_alert,
        "is_deleted": entry.is_deleted,
        "reaction": entry.reaction,
        "update": show_update(entry.update) if entry.update else None,
    }
