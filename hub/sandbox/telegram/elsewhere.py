"""The control API for what happens outside a person's own chat with the bot: groups, channels and business accounts.

    POST   /control/bots/{bot}/groups                                   CreateGroup
    GET    /control/bots/{bot}/groups/{group}                           what is shown there
    POST   /control/bots/{bot}/groups/{group}/messages                  WriteInGroup; in a channel: a post
    POST   /control/bots/{bot}/groups/{group}/reactions                 React
    POST   /control/bots/{bot}/groups/{group}/migrate                   Migrate: from now on it is a supergroup of another id
    POST   /control/bots/{bot}/groups/{group}/block                     When: the bot is removed     …/unblock   When: added again
    POST   /control/bots/{bot}/business                                 Connect
    GET    /control/bots/{bot}/business/{connection}/chats/{person}     what is shown there
    POST   …/messages   WriteInBusiness     PATCH   …/messages/{message}   Edit     POST   …/delete   Delete

What a person did there is also a line in their own chat (event `elsewhere`), so that the phone page shows what became of it.
"""

from typing import Annotated

from fastapi import APIRouter, Depends

from hub.core.errors import NotFound
from hub.sandbox.telegram import doing, writing
from hub.sandbox.telegram.bodies import Connect, CreateGroup, Delete, Edit, Migrate, React, When, WriteInBusiness, WriteInGroup
from hub.sandbox.telegram.chats import Chat
from hub.sandbox.telegram.control import TheBot, TheWorld
from hub.sandbox.telegram.shown import show_chat, show_entry, show_update
from hub.sandbox.telegram.wire import Json, unix_now
from hub.sandbox.telegram.world import Connection


def _group(group: int, bot: TheBot) -> Chat:
    if group not in bot.groups:
        raise NotFound(f"no group {group}")
    return bot.groups[group]


def _business(connection: str, person: int, bot: TheBot, world: TheWorld) -> Chat:
    return bot.business_chat(connection, world.person(person))


TheGroup = Annotated[Chat, Depends(_group)]
TheBusinessChat = Annotated[Chat, Depends(_business)]

router = APIRouter(prefix="/control/bots/{bot}")


@router.post("/groups")
async def create_group(body: CreateGroup, bot: TheBot, world: TheWorld) -> Json:
    group = {"id": body.id, "title": body.title, "type": body.type}
    return show_chat(bot, bot.group(world.person(body.person), group))


@router.get("/groups/{group}")
async def see_group(chat: TheGroup, bot: TheBot) -> Json:
    return show_chat(bot, chat)


@router.post("/groups/{group}/messages")
async def write_in_group(body: WriteInGroup, chat: TheGroup, bot: TheBot, world: TheWorld) -> Json:
    chat.person = world.person(body.person)
    entry = writing.write(bot, chat, body)[0]
    doing.note_elsewhere(bot, chat.person, entry.update)
    return show_entry(entry)


@router.post("/groups/{group}/reactions")
async def react(body: React, chat: TheGroup, bot: TheBot, world: TheWorld) -> Json:
    chat.person = world.person(body.person)
    update = doing.react(bot, chat, body.message_id, body.emoji, body.date)
    doing.note_elsewhere(bot, chat.person, update)
    return show_update(update)


@router.post("/groups/{group}/migrate")
async def migrate(body: Migrate, chat: TheGroup, bot: TheBot) -> Json:
    assert chat.group is not None
    bot.group(chat.person, {"id": body.to, "title": chat.group["title"], "type": "supergroup"})
    entry = doing.write(bot, chat, {"migrate_to_chat_id": body.to})
    chat.migrated_to = body.to
    return show_entry(entry)


@router.post("/groups/{group}/block")
async def remove_bot(body: When, chat: TheGroup, bot: TheBot) -> Json:
    doing.set_blocked(bot, chat, True, body.date)
    return show_chat(bot, chat)


@router.post("/groups/{group}/unblock")
async def add_bot(body: When, chat: TheGroup, bot: TheBot) -> Json:
    doing.set_blocked(bot, chat, False, body.date)
    return show_chat(bot, chat)


@router.post("/business")
async def connect(body: Connect, bot: TheBot, world: TheWorld) -> Json:
    connection = Connection(body.id, world.person(body.owner), body.is_enabled, body.can_reply)
    bot.connections[connection.id] = connection
    payload = connection.as_json(unix_now() if body.date is None else body.date)
    update = bot.queue("business_connection", payload, ("business_connection", body.owner))
    doing.note_elsewhere(bot, connection.owner, update)
    return show_update(update)


@router.get("/business/{connection}/chats/{person}")
async def see_business_chat(chat: TheBusinessChat, bot: TheBot) -> Json:
    return show_chat(bot, chat)


@router.post("/business/{connection}/chats/{person}/messages")
async def write_in_business(body: WriteInBusiness, chat: TheBusinessChat, bot: TheBot) -> Json:
    sender = bot.connections[chat.connection_id].owner if body.by_owner else None
    entry = writing.write(bot, chat, body, sender)[0]
    doing.note_elsewhere(bot, chat.person, entry.update)
    return show_entry(entry)


@router.patch("/business/{connection}/chats/{person}/messages/{message}")
async def edit_in_business(message: int, body: Edit, chat: TheBusinessChat, bot: TheBot) -> Json:
    entry = doing.edit(bot, chat, message, body.text, location=body.location, at=body.date)
    doing.note_elsewhere(bot, chat.person, entry.update)
    return show_entry(entry)


@router.post("/business/{connection}/chats/{person}/delete")
async def delete_in_business(body: Delete, chat: TheBusinessChat, bot: TheBot) -> Json:
    update = doing.delete_business(bot, chat, body.message_ids)
    doing.note_elsewhere(bot, chat.person, update)
    return show_update(update)
