"""Long polling: the other way to get updates, while no webhook is set."""

import asyncio
import json
from typing import Final

from hub.sandbox.telegram.arguments import Arguments
from hub.sandbox.telegram.errors import CONFLICT_GET_UPDATES, CONFLICT_WEBHOOK, Refused
from hub.sandbox.telegram.methods.call import Call, Done, Method
from hub.sandbox.telegram.updates import State, Update, known_updates
from hub.sandbox.telegram.world import Bot

LONGEST_POLL: Final = 50


async def _get_updates(call: Call) -> Done:
    bot, arguments = call.bot, call.arguments
    if bot.webhook is not None:
        raise Refused(409, CONFLICT_WEBHOOK)
    allow_updates(bot, arguments)
    offset = arguments.integer("offset")
    limit = arguments.integer("limit", 100, 1, 100)
    timeout = arguments.integer("timeout", 0, 0, LONGEST_POLL)
    end_poll(bot, CONFLICT_GET_UPDATES)
    waiting = bot.live_pending()
    confirmed = waiting[:offset] if offset < 0 else [update for update in waiting if update.id < offset]
    for update in confirmed:
        bot.settle(update, State.ACCEPTED)
    if not bot.pending and timeout:
        await _wait_for_update(bot, timeout)
    return Done([update.as_json() for update in bot.live_pending()[:limit]])


async def _wait_for_update(bot: Bot, seconds: int) -> None:
    """Until there is an update or the time is over. Raises Refused when another call took this one's place."""
    poll: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    bot.poll = poll

    def arrived(_: Update) -> None:
        if not poll.done():
            poll.set_result("")

    bot.on_update = arrived
    try:
        conflict = await asyncio.wait_for(poll, seconds)
    except TimeoutError:
        conflict = ""
    finally:
        if bot.poll is poll:
            bot.poll = bot.on_update = None
    if conflict:
        raise Refused(409, conflict)


def end_poll(bot: Bot, why: str) -> None:
    """An open poll is answered 409 with this text."""
    poll, bot.poll = bot.poll, None
    if poll is not None and not poll.done():
        poll.set_result(why)


def allow_updates(bot: Bot, arguments: Arguments) -> None:
    """Never refuses. Absent or not a list of texts: the set stays; empty, or nothing known in it: the default set."""
    try:
        names = json.loads(arguments.text("allowed_updates"))
    except ValueError:
        return
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        bot.allowed_updates = known_updates(names)


METHODS: Final[dict[str, Method]] = {"getUpdates": _get_updates}
