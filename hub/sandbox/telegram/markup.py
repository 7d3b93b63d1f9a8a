"""`reply_markup`: the buttons of a message, checked as strictly as the Bot API says they are."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from hub.sandbox.telegram.arguments import Arguments
from hub.sandbox.telegram.errors import bad
from hub.sandbox.telegram.wire import Json

LONGEST_CALLBACK_DATA: Final = 64
"""Bytes of UTF-8."""
MOST_BUTTONS: Final = 100
ACTIONS: Final = (
    "url", "callback_data", "web_app", "login_url", "switch_inline_query", "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat", "copy_text", "callback_game", "pay",
)  # fmt: skip
"""What an inline button may do: exactly one of these."""


def read_markup(arguments: Arguments) -> Json | None:
    """What was asked for; None when there is nothing. Raises Refused."""
    markup = arguments.json("reply_markup", "can't parse reply keyboard markup JSON object")
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    rows = _rows(markup, "keyboard", 'field "keyboard" must be an Array of Arrays')
    for button in (button for row in rows for button in row):
        problem = _key_problem(button)
        if problem:
            raise bad(f"can't parse keyboard button: {problem}")
    inline = _rows(markup, "inline_keyboard", 'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    for button in (button for row in inline for button in row):
        problem = _button_problem(button)
        if problem:
            raise bad(f"can't parse inline keyboard button: {problem}")
        _check_action(button)
    if sum(len(row) for row in rows or inline) > MOST_BUTTONS:
        raise bad("reply markup is too long")
    return _settled(markup, [row for row in rows if row], [row for row in inline if row])


def inline_markup(arguments: Arguments) -> Json:
    """The inline keyboard of an edited message; empty when it has none. Raises Refused for any other keyboard."""
    markup = read_markup(arguments) or {}
    if markup and "inline_keyboard" not in markup:
        raise bad("inline keyboard expected")
    return markup


def _settled(markup: Json, rows: list[list[Any]], inline: list[list[Any]]) -> Json | None:
    """As Telegram understands it: the first of the four that is there."""
    if rows:
        keys = [[{"text": key} if isinstance(key, str) else key for key in row] for row in rows]
        return {name: markup[name] for name in markup if name != "inline_keyboard"} | {"keyboard": keys}
    if inline:
        return {"inline_keyboard": inline}
    for name in ("remove_keyboard", "force_reply"):
        if markup.get(name) is True:
            return {name: True}
    return None


def _rows(markup: Json, name: str, refusal: str) -> list[list[Any]]:
    rows = markup.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad(refusal)
    return rows


def _key_problem(button: object) -> str:
    """What is wrong with a key of the keyboard below the text field; empty when nothing is."""
    if isinstance(button, str):
        return "" if button.strip() else "keyboard button text must be non-empty"
    if not isinstance(button, dict):
        return "KeyboardButton must be a String or an Object"
    return _text_problem(button)


def _button_problem(button: object) -> str:
    if not isinstance(button, dict):
        return "InlineKeyboardButton must be an Object"
    problem = _text_problem(button)
    if problem:
        return problem
    actions = [name for name in ACTIONS if button.get(name) not in (None, "")]
    if not actions:
        return "Text buttons are unallowed in the inline keyboard"
    return "" if len(actions) == 1 else "exactly one optional field must be used"


def _text_problem(button: Json) -> str:
    if "text" not in button:
        return 'Can\'t find field "text"'
    if not isinstance(button["text"], str):
        return 'Field "text" must be of type String'
    return "" if button["text"].strip() else "button text must be non-empty"


def _check_action(button: Json) -> None:
    """Raises Refused."""
    data = button.get("callback_data", "")
    if not isinstance(data, str) or len(data.encode("utf-8", "surrogatepass")) > LONGEST_CALLBACK_DATA:
        raise bad("BUTTON_DATA_INVALID")
    url = button.get("url", "")
    if url and not (isinstance(url, str) and is_web_address(url)):
        raise bad(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")


def is_web_address(url: str) -> bool:
    """Whether Telegram takes it as the target of a button: http, https with a public-looking host, or tg:// of its own."""
    if re.match(r"tg://\S+$", url):
        return True
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host = parts.hostname or ""
        parts.port  # noqa: B018  # raises for a port that is no number
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and re.fullmatch(r"[^\s.]+(\.[^\s.]+)+", host) is not None and " " not in url
