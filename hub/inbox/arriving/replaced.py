"""A channel stands for another account (`channels/replacing.py`): what was said before makes room for the new one's keys."""

from hub.channels.hooks import AccountReplaced
from hub.core import ids
from hub.core.db import UnitOfWork


async def set_keys_aside(unit: UnitOfWork, event: AccountReplaced) -> None:
    """Rename every key of the former account, so that none is taken for one of the new one, while answers still find the message
    they answer. What exists only at the former account can no longer be answered, changed or deleted there."""
    prefix = f"{ids.new_id().hex}|"
    place = (unit.tenant, event.channel_id)
    await unit.sql.execute("UPDATE provider_key SET key = $3 || key WHERE organisation_id = $1 AND channel_id = $2", *place, prefix)
    await unit.sql.execute(
        "UPDATE pending_effect SET target_key = $3 || target_key WHERE organisation_id = $1 AND channel_id = $2", *place, prefix
    )
    await unit.sql.execute(
        """
        UPDATE message m SET provider_key = NULL,
               content = CASE WHEN m.content ? 'reply_to'
                              THEN jsonb_set(m.content, '{reply_to}', to_jsonb($3 || (m.content ->> 'reply_to'))) ELSE m.content END
        FROM conversation c
        WHERE c.organisation_id = $1 AND c.channel_id = $2 AND m.organisation_id = $1 AND m.conversation_id = c.id
          AND (m.provider_key IS NOT NULL OR m.content ? 'reply_to')
        """,
        *place,
        prefix,
    )
    await unit.sql.execute(
        """
        UPDATE message_part SET keys = '{}', reply_to_key = NULL,
               state = CASE WHEN action <> 'message' AND state = 'queued' THEN 'failed' ELSE state END,
               failure = CASE WHEN action <> 'message' AND state = 'queued' THEN 'account_replaced' ELSE failure END
        WHERE organisation_id = $1 AND channel_id = $2
          AND (keys <> '{}' OR reply_to_key IS NOT NULL OR action <> 'message' AND state = 'queued')
        """,
        *place,
    )
