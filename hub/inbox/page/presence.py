"""Who else looks at a conversation, and who is writing there (look.md, 6). True only now: kept in Valkey for seconds.

    POST /o/{slug}/conversations/{conversation}/presence    a page says what its person does there, and is told who else is there

A page says so every `BEAT_SECONDS` while it is in sight, and at once when something changes; what it stops saying is forgotten.
What changed is whispered to the open pages of the organisation (`core/live.py`). Without Valkey nobody sees anybody, and nothing
else suffers.
"""

from typing import Annotated, Any, Final
from uuid import UUID

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError

from hub.core import ids
from hub.core.errors import NotFound
from hub.inbox.page.schemas import ConversationId, SignForm
from hub.inbox.page.screen import runtime_of
from hub.organisations.access import requires
from hub.organisations.actor import Access
from hub.organisations.rights import Right
from hub.runtime import Runtime

log = structlog.get_logger()

router = APIRouter()
Reader = Annotated[Access, requires(Right.READ_INBOX)]

BEAT_SECONDS: Final = 20
"""`frontend/static/presence.js` repeats what holds this often."""
LOOKS_SECONDS: Final = 45
WRITES_SECONDS: Final = 12
"""A page repeats every 5 s that its person writes."""
RANK: Final = {"looks": 0, "note": 1, "reply": 2}
"""Of a person with several pages the strongest sign counts."""

_SAY: Final = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local before = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == 'gone' then
    redis.call('HDEL', KEYS[1], ARGV[1])
else
    redis.call('HSET', KEYS[1], ARGV[1], string.format('%s %d %s', ARGV[2], now + ARGV[3], ARGV[4]))
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
local found = {before and string.match(before, '^%a+') or 'gone'}
local all = redis.call('HGETALL', KEYS[1])
for place = 1, #all, 2 do
    local state, till, name = string.match(all[place + 1], '^(%a+) (%d+) (.*)$')
    if tonumber(till) > now then
        table.insert(found, all[place]); table.insert(found, state); table.insert(found, name)
    else
        redis.call('HDEL', KEYS[1], all[place])
    end
end
return found
"""
"""Put one page's sign down; the sign it replaces, and all that hold: page, state, name. Valkey's own clock decides."""


@router.post("/o/{slug}/conversations/{conversation}/presence")
async def say(request: Request, access: Reader, conversation: ConversationId, form: SignForm) -> JSONResponse:
    """What this person does here now; who else is here is the answer."""
    runtime = runtime_of(request)
    await _check(runtime, access, conversation)
    try:
        before, here = await _say(runtime, access, conversation, form.state, form.tab)
    except (RedisError, OSError) as error:
        log.warning("presence_without_valkey", error=type(error).__name__)
        return JSONResponse({"here": []})
    told = {"conversation": ids.show("conv", conversation), "here": here}
    if form.state != before or form.state in ("reply", "note"):
        await runtime.live.whisper(access.organisation_id, told)
    return JSONResponse(told)


async def _check(runtime: Runtime, access: Access, conversation_id: UUID) -> None:
    """NotFound for a conversation that this organisation has not got."""
    async with runtime.database.unit_of_work(access.organisation_id) as unit:
        if not await unit.sql.fetchval(
            "SELECT true FROM conversation WHERE organisation_id = $1 AND id = $2", unit.tenant, conversation_id
        ):
            raise NotFound("no such conversation")


async def _say(runtime: Runtime, access: Access, conversation_id: UUID, state: str, tab: str) -> tuple[str, list[dict[str, Any]]]:
    """The page's sign before, and everybody who is here: member, name, state."""
    key = f"here:{access.organisation_id.hex}:{conversation_id.hex}"
    page = f"{ids.show('mem', access.member_id)} {tab}"
    seconds = LOOKS_SECONDS if state == "looks" else WRITES_SECONDS
    before, *found = [
        one.decode()
        for one in await runtime.queue.redis.eval(  # type: ignore[misc]
            _SAY, 1, key, page, state, str(seconds * 1000), access.person_name, str(LOOKS_SECONDS * 1000)
        )
    ]
    here: dict[str, dict[str, Any]] = {}
    for place in range(0, len(found), 3):
        member, state_, name = found[place].split()[0], found[place + 1], found[place + 2]
        if member not in here or RANK[state_] > RANK[here[member]["state"]]:
            here[member] = {"member": member, "name": name, "state": state_}
    return before, sorted(here.values(), key=lambda one: (-RANK[one["state"]], one["name"]))
