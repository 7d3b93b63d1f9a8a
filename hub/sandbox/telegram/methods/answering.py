"""Answers to what a person pressed, and reactions."""

from typing import Any, Final

from hub.core import clock
from hub.sandbox.telegram.chats import Entry
from hub.sandbox.telegram.errors import QUERY_TOO_OLD, bad
from hub.sandbox.telegram.methods.call import Call, Done, Method, message_of
from hub.sandbox.telegram.wire import unix_now, utf16

LONGEST_TEXT: Final = 200
_REACTIONS: Final = """
❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓
🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡
"""
REACTIONS: Final = frozenset(_REACTIONS.split())


async def _answer_callback_query(call: Call) -> Done:
    text = call.arguments.text("text")
    if utf16(text) > LONGEST_TEXT:
        raise bad("MESSAGE_TOO_LONG")
    query = call.bot.open_queries.pop(call.arguments.text("callback_query_id"), None)
    if query is None or query.ends_at <= clock.now():
        raise bad(QUERY_TOO_OLD)
    if text:
        is_alert = call.arguments.boolean("show_alert")
        query.chat.add(Entry(unix_now(), from_bot=True, event="answer", text=text, is_alert=is_alert))
    return Done(True)


async def _set_message_reaction(call: Call) -> Done:
    reactions = call.arguments.json("reaction", "can't parse reaction types JSON object") or []
    if not isinstance(reactions, list):
        raise bad("expected an Array of ReactionType")
    for reaction in reactions:
        problem = _problem(reaction)
        if problem:
            raise bad(f"can't parse ReactionType: {problem}")
    _, entry, _ = message_of(call, "message to react")
    if len(reactions) > 1:
        raise bad("REACTIONS_TOO_MANY")
    if reactions and reactions[0].get("emoji") not in REACTIONS:
        raise bad("REACTION_INVALID")
    entry.reaction = reactions[0]["emoji"] if reactions else None
    return Done(True)


def _problem(reaction: Any) -> str:
    """What the reader of JSON has against a reaction; empty when it is one."""
    if not isinstance(reaction, dict):
        return "expected an Object"
    if "type" not in reaction:
        return 'Can\'t find field "type"'
    needed = {"emoji": "emoji", "custom_emoji": "custom_emoji_id"}.get(str(reaction["type"]))
    if needed is None:
        return "invalid reaction type specified"
    return "" if needed in reaction else f'Can\'t find field "{needed}"'


METHODS: Final[dict[str, Method]] = {"answerCallbackQuery": _answer_callback_query, "setMessageReaction": _set_message_reaction}
