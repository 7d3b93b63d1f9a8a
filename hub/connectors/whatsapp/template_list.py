"""The list of templates that the provider keeps (provider file, 12)."""

from typing import Final
from urllib.parse import quote, urlencode

from httpx import AsyncClient

from hub.connectors.contract import Account, TemplateRecord
from hub.connectors.errors import Rejected, Unavailable
from hub.connectors.whatsapp.api import GONE, ask_set_up, base
from hub.connectors.whatsapp.reading import a_text, an_object, objects
from hub.connectors.whatsapp.settings import WhatsAppSettings
from hub.connectors.whatsapp.templates import new_template, read_record

PAGE: Final = 100
MOST_PAGES: Final = 1000
"""6,000 templates at most, many of them in several languages."""

Acc = Account[WhatsAppSettings]


async def list_all(account: Acc, http: AsyncClient) -> list[TemplateRecord]:
    """Every page: Meta's go by cursor, 360dialog's by offset."""
    records: list[TemplateRecord] = []
    asked: dict[str, str] = {"limit": str(PAGE)}
    for _ in range(MOST_PAGES):
        page = await ask_set_up(account, http, "GET", f"{_templates(account)}?{urlencode(asked)}")
        found = objects(page, "data") or objects(page, "waba_templates")
        records += [read_record(one) for one in found]
        paging = an_object(page, "paging")
        after = a_text(an_object(paging, "cursors"), "after") if "next" in paging else ""
        total = page.get("total")
        if after:
            asked["after"] = after
        elif found and type(total) is int and len(records) < total:
            asked["offset"] = str(len(records))
        else:
            return records
    raise Unavailable("too_many_pages")


async def submit(template: TemplateRecord, account: Acc, http: AsyncClient) -> TemplateRecord:
    """What the provider made of it: its id and first status, and the category where it chose another."""
    body = new_template(template)
    made = read_record(await ask_set_up(account, http, "POST", _templates(account), json=body))
    return TemplateRecord(
        provider_id=made.provider_id,
        name=template.name,
        language=template.language,
        category=made.category or template.category,
        status=made.status or "pending",
        components=template.components,
        reason=made.reason,
    )


async def take_away(template: TemplateRecord, account: Acc, http: AsyncClient) -> None:
    """At Meta this language of it, at 360dialog, which knows only names, all of them."""
    asked = {"name": template.name} | ({"hsm_id": template.provider_id} if template.provider_id else {})
    at_360dialog = f"{_templates(account)}/{quote(template.name, safe='')}"
    url = f"{_templates(account)}?{urlencode(asked)}" if account.settings.uses_meta else at_360dialog
    try:
        await ask_set_up(account, http, "DELETE", url)
    except Rejected as error:
        if error.provider_code not in GONE:
            raise


def _templates(account: Acc) -> str:
    settings = account.settings
    return (
        f"{base(settings)}/{settings.waba_id}/message_templates" if settings.uses_meta else f"{settings.root}/v1/configs/templates"
    )
