"""What Google refuses of a message (provider file, 5 and 7)."""

from typing import Any, Final

from hub.sandbox.messengers import PhoneButton

LONGEST_TEXT, MOST_CHIPS, LONGEST_CHIP, LONGEST_POSTBACK = 3072, 11, 25, 2048
CARD_CHIPS, LONGEST_TITLE, LONGEST_DESCRIPTION = 4, 200, 2000
KINDS: Final = ("text", "contentInfo", "uploadedRbmFile", "richCard")
PUBLIC: Final = ("https://", "http://127.0.0.1")
"""The latter for the sandbox alone."""
ACTIONS: Final = (
    "dialAction", "openUrlAction", "viewLocationAction", "shareLocationAction", "createCalendarEventAction",
)  # fmt: skip


def problem_of(body: Any) -> str:
    """What is wrong with the body of agentMessages; empty for nothing."""
    if not isinstance(body, dict) or not isinstance(body.get("contentMessage"), dict):
        return "contentMessage is required"
    if "ttl" in body and "expireTime" in body:
        return "ttl and expireTime exclude each other"
    if unknown := body.keys() - {"contentMessage", "ttl", "expireTime", "messageTrafficType"}:
        return f"unknown field {min(unknown)}"
    content = body["contentMessage"]
    kinds = [kind for kind in KINDS if kind in content]
    if len(kinds) != 1:
        return "exactly one of text, contentInfo, uploadedRbmFile and richCard"
    if unknown := content.keys() - {*KINDS, "suggestions"}:
        return f"unknown field {min(unknown)}"
    return _problem_of_chips(content.get("suggestions", []), MOST_CHIPS) or _problem_of_kind(kinds[0], content[kinds[0]])


def _problem_of_kind(kind: str, value: Any) -> str:
    if kind == "text":
        if not isinstance(value, str) or not value.strip():
            return "text is empty"
        return "text is too long" if len(value.encode()) > LONGEST_TEXT else ""
    if kind == "contentInfo":
        return _problem_of_file(value)
    if kind == "richCard":
        return _problem_of_rich_card(value)
    return "no such file"


def _problem_of_file(info: Any) -> str:
    url = info.get("fileUrl") if isinstance(info, dict) else None
    if isinstance(url, str) and url.startswith(PUBLIC):
        return ""
    return "fileUrl must be a public https address"


def _problem_of_rich_card(card: Any) -> str:
    match card:
        case {"standaloneCard": {"cardContent": dict(content), "cardOrientation": "VERTICAL" | "HORIZONTAL"}}:
            return _problem_of_card(content)
        case {"carouselCard": {"cardWidth": "SMALL" | "MEDIUM", "cardContents": list(contents)}} if 2 <= len(contents) <= 10:
            return next((problem for one in contents if (problem := _problem_of_card(one))), "")
    return "neither a standaloneCard nor a carouselCard of 2 to 10 cards"


def _problem_of_card(content: dict[str, Any]) -> str:
    if not content.keys() & {"title", "description", "media"}:
        return "a card needs a title, a description or media"
    if len(content.get("title", "")) > LONGEST_TITLE or len(content.get("description", "")) > LONGEST_DESCRIPTION:
        return "title or description is too long"
    media = content.get("media")
    if media is not None and (problem := _problem_of_file(media.get("contentInfo"))):
        return problem
    return _problem_of_chips(content.get("suggestions", []), CARD_CHIPS)


def _problem_of_chips(chips: Any, most: int) -> str:
    if not isinstance(chips, list) or len(chips) > most:
        return f"at most {most} suggestions"
    for chip in chips:
        inner = chip.get("reply") or chip.get("action") if isinstance(chip, dict) else None
        if not isinstance(inner, dict) or not inner.get("text") or len(inner["text"]) > LONGEST_CHIP:
            return f"a suggestion needs a text of at most {LONGEST_CHIP} characters"
        if not inner.get("postbackData") or len(inner["postbackData"]) > LONGEST_POSTBACK:
            return "a suggestion needs postbackData"
        if "action" in chip and not any(action in inner for action in ACTIONS):
            return "an action needs its kind"
    return ""


def buttons_of(content: dict[str, Any]) -> tuple[PhoneButton, ...]:
    """What can be pressed below a message, on its cards too."""
    chips = list(content.get("suggestions", []))
    card = content.get("richCard", {})
    contents = card.get("carouselCard", {}).get("cardContents", [])
    for one in (*contents, card.get("standaloneCard", {}).get("cardContent", {})):
        chips += one.get("suggestions", [])
    return tuple(_button(chip) for chip in chips)


def _button(chip: dict[str, Any]) -> PhoneButton:
    inner = chip.get("reply") or chip["action"]
    url = inner.get("openUrlAction", {}).get("url", "") or inner.get("fallbackUrl", "")
    return PhoneButton(id=inner["postbackData"], label=inner["text"], url=url)


def words_of(content: dict[str, Any]) -> str:
    """What a phone shows of a message as text."""
    if "text" in content:
        return str(content["text"])
    if "contentInfo" in content:
        return str(content["contentInfo"]["fileUrl"])
    card = content["richCard"]
    contents = card.get("carouselCard", {}).get("cardContents") or [card["standaloneCard"]["cardContent"]]
    return "\n\n".join("\n".join(one[name] for name in ("title", "description") if name in one) for one in contents)
