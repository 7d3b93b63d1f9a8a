"""What a message says (messenger.md, 4; instagram.md, 3).

A message is a text, several attachments, or both. What belongs together is one content: files with the text as caption of the
first, a shared post with the words beside it. What cannot be shown becomes an honest card.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from hub.connectors._meta.reading import Json, a_text, an_id, an_object, objects
from hub.connectors.events import Content, Interactive, Location, Media, MediaKind, Referral, Sheet, Text, Unsupported

FILES: Final[dict[str, MediaKind]] = {
    "image": "image",
    "audio": "voice",  # nothing tells a recording from music; both apps offer people only recording
    "video": "video",
    "file": "document",
    "sticker": "sticker",
}
SHARED: Final = frozenset({"share", "post", "reel", "ig_post", "ig_reel"})
"""A post or reel that somebody shows."""
PREVIEWS: Final = frozenset({"fallback", "unsupported_type"})
"""What an app makes of a link or a phone number in a text."""
THUMBS: Final = frozenset({"369239263222822", "369239343222814", "369239383222810"})
"""Stickers of the thumb, small, middle and large."""
SOURCES: Final[dict[str, Literal["ad", "link", "web"]]] = {
    "ADS": "ad", "SHORTLINK": "link", "SHORTLINKS": "link", "SHORT-URL": "link", "CUSTOMER_CHAT_PLUGIN": "web",
}  # fmt: skip
"""How Meta's pages spell them, which do not agree."""
LONGEST_KIND: Final = 64


def read_contents(message: Json, site: str) -> Sequence[Content]:
    """The contents of a message, the first of which carries its id. None at all: it only repeats what another message says (the
    preview of a phone number). `site` is where links without a host lead."""
    text = a_text(message, "text")
    payload = a_text(an_object(message, "quick_reply"), "payload")
    if payload:
        return [Interactive(option=payload, label=text)]
    if message.get("is_unsupported") is True:
        return [Unsupported(kind="unsupported", summary=text)]
    attachments = _once(objects(message, "attachments"))
    if text and all(a_text(one, "type") in PREVIEWS for one in attachments):
        return [Text(text=text)]
    if not attachments:
        return [Unsupported(kind="empty", summary="")]
    contents = [_content(one, site) for one in attachments if not _is_of_a_phone_number(one)]
    return _with_text(contents, text) if text else contents


def read_referral(value: Json) -> Referral | None:
    """What led a person here: an ad, a link with a payload, a product of the shop; None where nothing did."""
    referral = an_object(value, "referral")
    if not referral:
        return None
    ad, product = an_id(referral, "ad_id"), an_id(an_object(referral, "product"), "id")
    return Referral(
        source="ad" if ad else "product" if product else SOURCES.get(a_text(referral, "source"), "other"),
        id=ad or product,
        title=a_text(an_object(referral, "ads_context_data"), "ad_title"),
        payload=a_text(referral, "ref"),
    )


def read_story(message: Json) -> Referral | None:
    """The story of ours that a message answers. Its address dies after a day."""
    story = an_object(an_object(message, "reply_to"), "story")
    return Referral(source="post", id=an_id(story, "id"), url=_link(a_text(story, "url"), "")) if story else None


def _once(attachments: list[Json]) -> list[Json]:
    """A sticker came as a picture, for a while as both, now as a sticker: it is shown once."""
    stickers = {_sticker_id(one) for one in attachments if a_text(one, "type") == "sticker"} - {""}
    return [one for one in attachments if not (a_text(one, "type") == "image" and _sticker_id(one) in stickers)]


def _sticker_id(attachment: Json) -> str:
    return an_id(an_object(attachment, "payload"), "sticker_id")


def _is_of_a_phone_number(attachment: Json) -> bool:
    return a_text(attachment, "type") in PREVIEWS and _url(attachment).startswith("tel:")


def _with_text(contents: list[Content], text: str) -> list[Content]:
    """The words go with the first content that has room for them, else before all."""
    for place, content in enumerate(contents):
        if isinstance(content, Media):
            return [*contents[:place], replace(content, caption=Text(text=text)), *contents[place + 1 :]]
        if isinstance(content, Sheet) and content.kind != "link":
            return [*contents[:place], replace(content, text=text), *contents[place + 1 :]]
    return [Text(text=text), *contents]


def _content(attachment: Json, site: str) -> Content:
    kind, payload = a_text(attachment, "type"), an_object(attachment, "payload")
    title, link = a_text(payload, "title") or a_text(attachment, "title"), _link(_url(attachment), site)
    if kind in FILES and link.startswith(("https://", "http://")):
        return _file(kind, payload, link)
    if kind == "location" and (place := _place(payload, title)):
        return place
    if kind in SHARED:
        return Sheet(kind="post", title=title, url=link)
    if kind == "story_mention":
        return Sheet(kind="story", title="", url=link)
    if kind == "like_heart":
        return Text(text="❤️")
    if kind in PREVIEWS and link:
        return Sheet(kind="link", title=title or link, url=link)
    return Unsupported(kind=kind[:LONGEST_KIND] or "attachment", summary=title)


def _file(kind: str, payload: Json, link: str) -> Media:
    sticker = an_id(payload, "sticker_id")
    return Media(
        kind="sticker" if sticker else FILES[kind],
        ref=link,
        unique=sticker,
        name=_name(link) if kind == "file" else "",
        label="👍" if sticker in THUMBS else "",
    )


def _name(link: str) -> str:
    """The last word of an address, if it looks like the name of a file."""
    name = unquote(urlsplit(link).path.rpartition("/")[2])
    return name if "." in name else ""


def _place(payload: Json, title: str) -> Location | None:
    where = an_object(payload, "coordinates")
    latitude, longitude = where.get("lat"), where.get("long")
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return Location(latitude=float(latitude), longitude=float(longitude), title=title)


def _url(attachment: Json) -> str:
    return a_text(an_object(attachment, "payload"), "url") or a_text(attachment, "url")


def _link(url: str, site: str) -> str:
    """An address that leads somewhere; one without a host leads into Meta's own site. Empty for anything else."""
    if url.startswith("/") and not url.startswith("//"):
        url = site + url
    try:
        parts = urlsplit(url)
        return url if parts.scheme in ("https", "http") and parts.hostname else ""
    except ValueError:  # a broken IPv6 address
        return ""
