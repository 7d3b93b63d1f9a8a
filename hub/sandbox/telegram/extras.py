"""What only Telegram has: kinds of messages no other messenger knows, and what a person does outside the chat with the bot."""

from collections.abc import Callable
from typing import Final

from hub.core.errors import Conflict
from hub.sandbox.telegram import doing, samples
from hub.sandbox.telegram.chats import Chat, Entry
from hub.sandbox.telegram.entities import marked, text_content
from hub.sandbox.telegram.wire import unix_now
from hub.sandbox.telegram.world import Bot, Connection

GROUP: Final = {"id": -1001987654321, "title": "Radfreunde", "type": "supergroup"}
CHANNEL: Final = {"id": -1001987654322, "title": "Radwerk Neuigkeiten", "type": "channel"}
CONNECTION: Final = "bc_Xk29aLq0"
STEP: Final = 0.0004
"""Degrees that a live location walks on at once."""
SAMPLES: Final = (
    "animation", "video_note", "large", "sticker", "sticker_animated", "sticker_video", "live_location", "venue", "contact", "poll",
    "dice", "unknown",
)  # fmt: skip

Deed = Callable[[Bot, Chat], object]


def _album(bot: Bot, chat: Chat) -> None:
    names = ("photo-1", "photo-2", "photo-3", "video")
    contents = [samples.content(name, bot.files, chat.person) for name in names]
    contents[0] = contents[0] | marked("caption", "Vier Ansichten", ())
    doing.write_album(bot, chat, contents, shuffled=True)


def _move(bot: Bot, chat: Chat) -> None:
    for entry in reversed(chat.entries):
        message = entry.message or {}
        if not entry.from_bot and "live_period" in message.get("location", {}):
            place = message["location"]
            moved = {"latitude": place["latitude"] + STEP, "longitude": place["longitude"] + STEP}
            doing.edit(bot, chat, message["message_id"], location=moved)
            return
    raise Conflict("no live location was sent")


def _forward(bot: Bot, chat: Chat) -> None:
    origin = {"type": "hidden_user", "date": unix_now() - 60, "sender_user_name": "K. M."}
    doing.write(bot, chat, {"forward_origin": origin} | text_content("Die Werkstatt am Hafen soll sehr gut sein."))


def _in_group(bot: Bot, chat: Chat) -> tuple[Chat, Entry]:
    group = bot.group(chat.person, dict(GROUP))
    entry = doing.write(bot, group, text_content("Wer fährt am Samstag mit?"))
    doing.note_elsewhere(bot, chat.person, entry.update)
    return group, entry


def _reaction(bot: Bot, chat: Chat) -> None:
    group, entry = _in_group(bot, chat)
    assert entry.message is not None
    doing.note_elsewhere(bot, chat.person, doing.react(bot, group, entry.message["message_id"], "👍"))


def _in_channel(bot: Bot, chat: Chat) -> None:
    entry = doing.write(bot, bot.group(chat.person, dict(CHANNEL)), text_content("Neue Öffnungszeiten ab Montag"))
    doing.note_elsewhere(bot, chat.person, entry.update)


def _connect(bot: Bot, chat: Chat) -> None:
    connection = Connection(CONNECTION, chat.person, is_enabled=True, can_reply=True)
    bot.connections[CONNECTION] = connection
    update = bot.queue("business_connection", connection.as_json(unix_now()), ("business_connection", chat.person.id))
    doing.note_elsewhere(bot, chat.person, update)


def _to_business(bot: Bot, chat: Chat, *, by_owner: bool = False) -> tuple[Chat, int]:
    _connect(bot, chat)
    there = bot.business_chat(CONNECTION, chat.person)
    sender = bot.connections[CONNECTION].owner if by_owner else None
    entry = doing.write(bot, there, text_content("Hallo, noch offen?"), sender=sender)
    doing.note_elsewhere(bot, chat.person, entry.update)
    assert entry.message is not None
    return there, entry.message["message_id"]


def _edit_business(bot: Bot, chat: Chat) -> None:
    there, message_id = _to_business(bot, chat)
    entry = doing.edit(bot, there, message_id, "Hallo, heute noch offen?")
    doing.note_elsewhere(bot, chat.person, entry.update)


def _delete_business(bot: Bot, chat: Chat) -> None:
    there, message_id = _to_business(bot, chat)
    doing.note_elsewhere(bot, chat.person, doing.delete_business(bot, there, [message_id]))


def _sample(name: str) -> Deed:
    return lambda bot, chat: doing.write(bot, chat, samples.content(name, bot.files, chat.person))


DEEDS: Final[dict[str, Deed]] = {
    "start": doing.start,
    "album": _album,
    **{name: _sample(name) for name in SAMPLES},
    "move": _move,
    "forward": _forward,
    "group": _in_group,
    "reaction": _reaction,
    "channel": _in_channel,
    "connect": _connect,
    "business": _to_business,
    "owner": lambda bot, chat: _to_business(bot, chat, by_owner=True),
    "business_edit": _edit_business,
    "business_delete": _delete_business,
}
