"""What the content rules find in a message that is about to be written: asked where the messenger has such rules (R-199)."""

from hub.connectors.contract import AnyConnector
from hub.consent.content_rules import ContentRules, find_in_text
from hub.core.db import UnitOfWork
from hub.organisations import policy


async def find_in(unit: UnitOfWork, connector: AnyConnector, text: str) -> tuple[str, ...]:
    """What a second person has to look at; empty for a messenger without content rules."""
    if not connector.capabilities.content_review:
        return ()
    rules = (await policy.resolve(unit, "content_review")).value
    return find_in_text(ContentRules(**rules), text)
