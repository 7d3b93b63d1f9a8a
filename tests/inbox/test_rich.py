"""Texts in bubbles: formatting as it was sent, addresses that can be followed, and never a tag of the sender's."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.inbox.page.rich import draw_text


@pytest.mark.parametrize(
    ("text", "spans", "html"),
    [
        ("Hallo", [], "Hallo"),
        ("<b>&", [], "&lt;b&gt;&amp;"),
        ("fett", [[0, 4, "bold", ""]], "<b>fett</b>"),
        ("fett und kursiv", [[0, 15, "bold", ""], [9, 15, "italic", ""]], "<b>fett und <i>kursiv</i></b>"),
        ("abcdef", [[0, 4, "bold", ""], [2, 6, "italic", ""]], "<b>ab<i>cd</i></b><i>ef</i>"),
        ("👍🏽 gut", [[3, 6, "underline", ""]], "👍🏽 <u>gut</u>"),
        ("a\nb\nc", [[2, 3, "quote", ""]], "a\n<blockquote>b</blockquote>c"),
        ("x <y>", [[2, 5, "code", ""]], "x <code>&lt;y&gt;</code>"),
        ("hier", [[0, 4, "link", "javascript:alert(1)"]], "hier"),
        ("hier", [[0, 4, "link", "tg://user?id=1"]], "hier"),
        ("kurz", [[0, 99, "bold", ""]], "kurz"),
    ],
)
def test_formatting_is_drawn_and_nothing_else(text: str, spans: list[Any], html: str) -> None:
    """Issue 3.1: text with formatting, everything escaped; only http(s) is a link."""
    assert draw_text(text, {"spans": spans}) == html


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("siehe https://radwerk.example/a?b=1&c=2.", "https://radwerk.example/a?b=1&amp;c=2"),
        ("(https://radwerk.example/x)", "https://radwerk.example/x"),
        ("https://de.wikipedia.example/wiki/Rad_(Technik)", "https://de.wikipedia.example/wiki/Rad_(Technik)"),
        ('HTTP://A.EXAMPLE"onclick=x', "HTTP://A.EXAMPLE"),
    ],
)
def test_addresses_can_be_followed(text: str, url: str) -> None:
    html = draw_text(text, {})
    assert f'<a href="{url}" title="{url}" target="_blank" rel="noopener noreferrer">{url}</a>' in html


def test_an_address_in_code_stays_text() -> None:
    assert "<a" not in draw_text("https://a.example", {"spans": [[0, 17, "code", ""]]})
    assert draw_text("https://a.example https:// ", {"spans": [[0, 17, "link", "https://b.example"]]}).count("<a") == 1


STYLES = ("bold", "italic", "underline", "strike", "spoiler", "code", "pre", "quote", "link")
URLS = ("", "https://x.example", "data:x")
SPAN = st.tuples(st.integers(-1, 12), st.integers(0, 14), st.sampled_from(STYLES), st.sampled_from(URLS))


@given(st.text(alphabet="ab<>&\"'\n 👍", max_size=12), st.lists(SPAN, max_size=6))
def test_no_spans_can_break_the_page(text: str, spans: list[tuple[int, int, str, str]]) -> None:
    """Whatever a provider says about a text, its letters stay and every tag is ours and closed."""
    html = str(draw_text(text, {"spans": [list(span) for span in spans]}))
    opened: list[str] = []
    for closing, tag in re.findall(r"<(/?)(\w+)[^>]*>", html):
        if tag == "input":
            continue
        if closing:
            assert opened.pop() == tag
        else:
            opened.append(tag)
    assert not opened
    assert re.sub(r"<[^>]+>", "", html).replace("\n", "") == str(draw_text(text, {})).replace("\n", "")
