"""Utility templates: what Meta approved before may go after the window (messenger.md, 6). Keys of `Template.parameters`:

body                the places of the text, in their order
body:<name>         a named place
button:0:postback   what the first button brings back
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from httpx import AsyncClient

from hub.connectors._meta.graph import Graph, ask, ask_set_up
from hub.connectors._meta.reading import Json, a_text, an_id, an_object, objects
from hub.connectors.contract import TemplateRecord
from hub.connectors.errors import AuthFailed, Rejected, Unavailable, UnsupportedContent
from hub.connectors.events import Template

PATH: Final = "me/message_templates"
PLACE: Final = re.compile(r"\{\{([a-z][a-z0-9_]*)\}\}")
KEY: Final = re.compile(r"body(?::(?P<name>[a-z][a-z0-9_]{0,63}))?|button:(?P<button>[0-9]):postback")
PAGE, MOST_PAGES = 100, 100


def write_template(template: Template) -> Json:
    """The message of a send request. Raises UnsupportedContent."""
    if template.header is not None or template.cards:
        raise UnsupportedContent("header_type")
    body: list[Json] = []
    buttons: dict[int, Json] = {}
    for key, values in template.parameters.items():
        found = KEY.fullmatch(key)
        if found is None:
            raise UnsupportedContent("unknown_place")
        if not values or not all(value.strip() for value in values):
            raise UnsupportedContent("empty_parameter")
        if found["button"]:
            buttons[int(found["button"])] = {"type": "POSTBACK", "payload": values[0]}
        else:
            name = {"parameter_name": found["name"]} if found["name"] else {}
            body += [{"type": "text", "text": value} | name for value in values]
    pressed = [buttons[number] for number in sorted(buttons)]
    parts = [{"type": "body", "parameters": body}, {"type": "buttons", "parameters": pressed}]
    components = [part for part in parts if part["parameters"]]
    named: Json = {"name": template.name, "language": {"code": template.language}}
    return {"template": named | ({"components": components} if components else {})}


async def list_all(page: Graph, http: AsyncClient) -> Sequence[TemplateRecord]:
    """Every page of the list. An app without `page_utility_messaging` has none, and its channel works all the same."""
    records: list[TemplateRecord] = []
    asked = {"limit": str(PAGE)}
    for _ in range(MOST_PAGES):
        try:
            answer = await ask(page, http, "GET", PATH, query=asked)
        except (AuthFailed, Rejected):  # a token that is bad shows in the account's health
            return records
        records += [read_record(one) for one in objects(answer, "data")]
        paging = an_object(answer, "paging")
        after = a_text(an_object(paging, "cursors"), "after")
        if "next" not in paging or not after:
            return records
        asked = {"limit": str(PAGE), "after": after}
    raise Unavailable("too_many_pages")


async def submit(template: TemplateRecord, page: Graph, http: AsyncClient) -> TemplateRecord:
    """Raises CredentialsRejected, Unavailable or Rejected."""
    body: dict[str, Any] = {
        "name": template.name,
        "language": template.language,
        "category": template.category.upper(),
        "components": [dict(component) for component in template.components],
    }
    if any(PLACE.search(str(component.get("text", ""))) for component in template.components):
        body["parameter_format"] = "NAMED"
    made = read_record(await ask_set_up(page, http, "POST", PATH, field="page_token", json=body))
    return TemplateRecord(
        provider_id=made.provider_id,
        name=template.name,
        language=template.language,
        category=made.category or template.category,
        status=made.status or "pending",
        components=template.components,
    )


async def take_away(template: TemplateRecord, page: Graph, http: AsyncClient) -> None:
    """One that is gone already is fine."""
    try:
        await ask_set_up(page, http, "DELETE", PATH, field="page_token", query={"name": template.name})
    except Rejected as error:
        if error.provider_code.partition("/")[0] not in ("33", "100"):
            raise


def read_record(template: Json) -> TemplateRecord:
    reason = a_text(template, "rejected_reason")
    return TemplateRecord(
        provider_id=an_id(template, "id"),
        name=a_text(template, "name"),
        language=a_text(template, "language"),
        category=a_text(template, "category").lower(),
        status=a_text(template, "status").lower(),
        components=tuple(objects(template, "components")),
        reason="" if reason.upper() == "NONE" else reason,
    )
