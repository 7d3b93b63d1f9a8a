"""Visitors: a browser becomes one with its first message, comes back by its token, and everything it does is told to the door."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from hub.billing import ports as billing
from hub.billing.ports import Standing
from hub.connectors.contract import RawRequest
from hub.connectors.webchat import wire
from hub.core import clock, ids
from hub.core.db import UnitOfWork
from hub.core.errors import HubError, NotSignedIn, Unavailable
from hub.core.i18n import Translator
from hub.inbox.arriving.door import Door
from hub.runtime import Runtime
from hub.webchat.embedded import Chat

TOKEN_BYTES: Final = 32
FORGOTTEN_AFTER: Final = timedelta(days=180)
"""A token that was not used for so long is good for nothing."""
SEEN_EVERY: Final = timedelta(minutes=10)
ENDED: Final = frozenset({Standing.ENDED, Standing.TRIAL_ENDED})


class ChatClosed(HubError):
    """The chat takes no new visitors: its contract has ended (R-110), or the channel is not on. The widget shows nothing."""

    code = "chat_closed"
    http_status = 410


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser that has written."""

    id: UUID
    name: str
    email: str
    language: str

    @property
    def address(self) -> str:
        """Its address on the channel."""
        return ids.show("vis", self.id)


async def check_open(unit: UnitOfWork, channel_id: UUID) -> None:
    """ChatClosed unless the chat takes new visitors."""
    row = await unit.sql.fetchrow(
        """
        SELECT h.state, o.state AS organisation_state FROM channel h JOIN organisation o ON o.id = h.organisation_id
        WHERE h.organisation_id = $1 AND h.id = $2
        """,
        unit.tenant,
        channel_id,
    )
    if row is None or row["state"] != "on" or row["organisation_state"] == "ended" or await billing.standing(unit) in ENDED:
        raise ChatClosed


async def start(runtime: Runtime, chat: Chat, *, name: str, email: str, language: str) -> tuple[Visitor, str]:
    """A new visitor and their token, which is told once. ChatClosed. Without a name they get one that tells them apart, in the
    business's language."""
    token, visitor_id, now = secrets.token_urlsafe(TOKEN_BYTES), ids.new_id(), clock.now()
    async with runtime.database.unit_of_work(chat.channel.organisation_id) as unit:
        await check_open(unit, chat.channel.channel_id)
        if not name:
            locale = await unit.sql.fetchval("SELECT locale FROM organisation WHERE id = $1", unit.tenant)
            name = Translator(locale)("webchat.visitor", number=ids.show("vis", visitor_id)[-4:].upper())
        visitor = Visitor(visitor_id, name, email, language)
        await unit.sql.execute(
            """
            INSERT INTO webchat_visitor (organisation_id, id, channel_id, token_hash, name, email, language, created_at, seen_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
            """,
            unit.tenant,
            visitor.id,
            chat.channel.channel_id,
            _hash(token),
            visitor.name,
            visitor.email,
            visitor.language,
            now,
        )
    return visitor, token


async def find(runtime: Runtime, chat: Chat, token: str) -> Visitor:
    """Whose token this is. NotSignedIn for one that is unknown, ended or forgotten: the widget begins anew."""
    now = clock.now()
    async with runtime.database.unit_of_work(chat.channel.organisation_id) as unit:
        row = await unit.sql.fetchrow(
            """
            SELECT id, name, email, language, seen_at FROM webchat_visitor
            WHERE organisation_id = $1 AND channel_id = $2 AND token_hash = $3 AND ended_at IS NULL AND seen_at > $4
            """,
            unit.tenant,
            chat.channel.channel_id,
            _hash(token),
            now - FORGOTTEN_AFTER,
        )
        if row is None:
            raise NotSignedIn("no such visitor")
        if row["seen_at"] < now - SEEN_EVERY:
            await unit.sql.execute(
                "UPDATE webchat_visitor SET seen_at = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, row["id"], now
            )
    return Visitor(row["id"], row["name"], row["email"], row["language"])


async def end(runtime: Runtime, chat: Chat, visitor: Visitor) -> None:
    """Forget this browser. What was written stays with the business."""
    async with runtime.database.unit_of_work(chat.channel.organisation_id) as unit:
        await unit.sql.execute(
            "UPDATE webchat_visitor SET ended_at = $3 WHERE organisation_id = $1 AND id = $2", unit.tenant, visitor.id, clock.now()
        )


async def tell(door: Door, chat: Chat, visitor: Visitor, kind: str, id_: str, **told: Any) -> None:
    """Tell the door what a visitor did; it is on disk when this returns. Unavailable: nothing was taken on, to be tried again."""
    about = {"id": visitor.address, "name": visitor.name, "email": visitor.email, "language": visitor.language}
    at = int(clock.now().timestamp() * 1000)
    body = wire.write_body(kind, id_=id_, at=at, visitor=about, **told)
    signature = wire.sign(body, chat.channel.account.webhook_secrets[0])
    if await door.take(chat.channel, RawRequest("POST", {wire.HEADER: signature}, body)) != 200:
        raise Unavailable("the door is closed", retry_after=5)


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
