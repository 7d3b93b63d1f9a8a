"""A `Write` of the control API as something a person does."""

from hub.sandbox.telegram import doing, samples
from hub.sandbox.telegram.bodies import Item, Write
from hub.sandbox.telegram.chats import Chat, Entry, Person
from hub.sandbox.telegram.entities import marked, read_typed
from hub.sandbox.telegram.wire import Json, unix_now
from hub.sandbox.telegram.world import Bot


def write(bot: Bot, chat: Chat, body: Write, sender: Person | None = None) -> list[Entry]:
    """The messages that appeared on the phone: one, or those of an album."""
    if body.start is not None:
        return [doing.start(bot, chat, body.start, body.date)]
    if body.album is not None:
        contents = [_item(bot, chat, item, is_typed=body.is_typed) for item in body.album]
        return doing.write_album(bot, chat, contents, body.date, shuffled=body.shuffled, reply_to=body.reply_to)
    if body.text is not None:
        content = _marked("text", body.text, is_typed=body.is_typed)
    else:
        content = _item(bot, chat, Item(sample=body.sample, content=body.content, caption=body.caption), is_typed=body.is_typed)
    if body.forward is not None:
        origin = {"type": "hidden_user", "date": (body.date or unix_now()) - 60, "sender_user_name": body.forward}
        content = {"forward_origin": origin} | content
    return [doing.write(bot, chat, content, body.date, body.reply_to, quote=body.quote, sender=sender)]


def _item(bot: Bot, chat: Chat, item: Item, *, is_typed: bool) -> Json:
    content = dict(item.content or {}) if item.sample is None else samples.content(item.sample, bot.files, chat.person)
    return content | (_marked("caption", item.caption, is_typed=is_typed) if item.caption else {})


def _marked(field: str, text: str, *, is_typed: bool) -> Json:
    plain, marks = read_typed(text) if is_typed else (text, [])
    return marked(field, plain.strip(), marks)
