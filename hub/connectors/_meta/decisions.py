"""Meta's decision on a utility template of a page (messenger.md, 6)."""

from typing import Final

from hub.connectors._meta.envelope import Element
from hub.connectors._meta.reading import a_text, an_id, an_object
from hub.connectors.events import TemplateChanged

FIELD: Final = "message_template_status_update"


def read_decision(element: Element) -> TemplateChanged | None:
    """The template's new status; None where it names none."""
    value = an_object(element.value, "value")
    name, word = a_text(value, "message_template_name"), a_text(value, "event").lower()
    template_id, reason = an_id(value, "message_template_id"), a_text(value, "reason")
    if not name or not word:
        return None
    return TemplateChanged(
        key=f"t:{template_id or name}:{word}:{int(element.at.timestamp())}",
        at=element.at,
        provider_id=template_id,
        name=name,
        language=a_text(value, "message_template_language"),
        status=word,
        category=a_text(value, "message_template_category").lower(),
        reason="" if reason.upper() == "NONE" else reason,
    )
