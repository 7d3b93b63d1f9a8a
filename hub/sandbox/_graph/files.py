"""Files that an account sends: uploaded, or fetched from where they lie (messenger.md, 7; instagram.md, 7)."""

from typing import Final

import httpx

from hub.sandbox._graph.refusals import Refused
from hub.sandbox._graph.sending import kind_on_phone
from hub.sandbox._graph.wire import File
from hub.sandbox._graph.world import World
from hub.sandbox.messengers import PhoneFile

LARGEST: Final = 25_000_000
"""Bytes of a file."""


def keep_attachment(world: World, kind: str, file: File) -> str:
    """The id under which a file can be sent. Raises Refused for one that is not taken."""
    types = world.flavour.attachments.get(kind)
    if types is None or not file.content or (types and file.mime not in types):
        raise Refused(100, "(#100) Upload attachment failure.", subcode=2018047)
    if len(file.content) > LARGEST:
        raise Refused(100, "(#100) Attachment size exceeds allowable limit", subcode=2018109)
    shown = PhoneFile(id="", kind=kind_on_phone(kind), name=file.name, mime=file.mime, size=len(file.content))
    kept = world.keep_file(shown, file.content)
    world.attachments[kept.id] = (kind, kept)
    return kept.id


async def fetch_link(world: World, http: httpx.AsyncClient, message: object) -> None:
    """A file that is sent by its address is fetched at once, and its id stands in the message from then on. Raises Refused."""
    attachment = message.get("attachment") if isinstance(message, dict) else None
    payload = attachment.get("payload") if isinstance(attachment, dict) else None
    kind = str(attachment.get("type")) if isinstance(attachment, dict) else ""
    if not isinstance(payload, dict) or "url" not in payload or kind not in world.flavour.attachments:
        return
    url = str(payload.pop("url"))
    try:
        answer = await http.get(url, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL):
        answer = None
    if answer is None or answer.status_code != 200:
        raise Refused(100, "(#100) Failed to fetch the file from the url", subcode=2018008)
    mime = answer.headers.get("content-type", "").partition(";")[0]
    payload["attachment_id"] = keep_attachment(world, kind, File(url.rpartition("/")[2], mime, answer.content))
