"""Formatting (provider file, 7 and 12): mark-up is read as strictly as Telegram reads it, and marks count UTF-16 units."""

from typing import Any

import pytest

from hub.sandbox.telegram.entities import find_entities, read_formatted, read_typed
from hub.sandbox.telegram.errors import Refused
from tests.sandbox.support import Simulated, refusal

CANT = "Bad Request: can't parse entities: "


def mark(kind: str, offset: int, length: int, **more: str) -> dict[str, Any]:
    return {"offset": offset, "length": length, "type": kind, **more}


@pytest.mark.parametrize(
    ("source", "text", "marks"),
    [
        ("<b>fett</b> &lt;x&gt; &amp;&nbsp;", "fett <x> &&nbsp;", [mark("bold", 0, 4)]),
        ("😀<i>x</i>", "😀x", [mark("italic", 2, 1)]),
        ("<b>a<i>b</i></b>", "ab", [mark("bold", 0, 2), mark("italic", 1, 1)]),
        ('<a href="https://x.de/?a=1&amp;b=2">hier</a>', "hier", [mark("text_link", 0, 4, url="https://x.de/?a=1&b=2")]),
        ('<pre><code class="language-py">x</code></pre>', "x", [mark("pre", 0, 1, language="py")]),
        ('<span class="tg-spoiler">y</span>', "y", [mark("spoiler", 0, 1)]),
        ("  <u>z</u>  ", "z", [mark("underline", 0, 1)]),
        ("<blockquote expandable>q</blockquote>", "q", [mark("expandable_blockquote", 0, 1)]),
    ],
)
def test_html(source: str, text: str, marks: list[dict[str, Any]]) -> None:
    assert read_formatted(source, "HTML", None) == (text, marks)


@pytest.mark.parametrize(
    ("source", "text", "marks"),
    [
        ("*fett* _i_ __u__ ~s~", "fett i u s", [mark("bold", 0, 4), mark("italic", 5, 1), mark("underline", 7, 1)]),
        ("a\\.b \\*", "a.b *", []),
        ("||x||", "x", [mark("spoiler", 0, 1)]),
        ("`a\\`b`", "a`b", [mark("code", 0, 3)]),
        ("```py\nx=1```", "x=1", [mark("pre", 0, 3, language="py")]),
        ("[hier](https://x.de/a_b)", "hier", [mark("text_link", 0, 4, url="https://x.de/a_b")]),
        ("_a __b___ c", "a b c", [mark("italic", 0, 3), mark("underline", 2, 1)]),
        (">a\n>b\nc", "a\nb\nc", [mark("blockquote", 0, 3)]),
    ],
)
def test_markdown(source: str, text: str, marks: list[dict[str, Any]]) -> None:
    plain, found = read_formatted(source, "MarkdownV2", None)
    assert (plain, found[: len(marks) or None]) == (text, marks)


@pytest.mark.parametrize(
    ("source", "mode", "description"),
    [
        ("a < b", "HTML", CANT + 'Unsupported start tag "" at byte offset 2'),
        ("ä<div>x</div>", "HTML", CANT + 'Unsupported start tag "div" at byte offset 2'),
        ("<b>x", "HTML", CANT + 'Can\'t find end tag corresponding to start tag "b"'),
        ("x</b>", "HTML", CANT + "Unexpected end tag at byte offset 1"),
        ("<b><i>x</b></i>", "HTML", CANT + 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("<b", "HTML", CANT + "Unclosed start tag at byte offset 0"),
        ("1.5 kg", "MarkdownV2", CANT + "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("a*b", "MarkdownV2", CANT + "Can't find end of Bold entity at byte offset 1"),
        ("[hier]", "MarkdownV2", CANT + "Can't find end of TextUrl entity at byte offset 0"),
        ("`x", "MarkdownV2", CANT + "Can't find end of Code entity at byte offset 0"),
        ("x", "BBCode", "Bad Request: unsupported parse_mode"),
    ],
)
async def test_mark_up_that_is_refused(simulated: Simulated, source: str, mode: str, description: str) -> None:
    """400, and nothing appears on the phone."""
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    answer = await simulated.call("sendMessage", chat_id=person, text=source, parse_mode=mode)
    assert refusal(answer) == (400, description)
    assert len((await simulated.phone(person))["entries"]) == 1


@pytest.mark.parametrize(
    ("entity", "words"),
    [
        (mark("bold", 2, 9), "ends after the end of the text"),
        (mark("bold", 1, 2), "in a middle of a UTF-16 symbol"),
        ({"offset": 0, "type": "bold"}, 'Can\'t find field "length"'),
        (mark("shiny", 0, 1), "Unsupported type specified"),
    ],
)
def test_marks_that_are_refused(entity: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        read_formatted("😀 gut", "", [entity])


async def test_given_marks_reach_the_phone(simulated: Simulated) -> None:
    """An `entities` parameter, beside what Telegram finds by itself; the length counts without mark-up (section 12)."""
    person = await simulated.person()
    await simulated.write(person, "Hallo")
    sent = await simulated.call("sendMessage", chat_id=person, text="😀 fett https://x.de", entities=[mark("bold", 3, 4)])
    assert sent.json()["result"]["entities"] == [mark("bold", 3, 4), mark("url", 8, 12)]
    long = await simulated.call("sendMessage", chat_id=person, text=f"<b>{'x' * 4096}</b>", parse_mode="HTML")
    assert long.json()["ok"] is True


def test_what_telegram_finds_by_itself() -> None:
    """Nothing inside of code; an address ends before the full stop of its sentence."""
    found = [one["type"] for one in find_entities("/start a@b.de @jonas_k #rad https://x.de/a. ok")]
    assert found == ["bot_command", "email", "mention", "hashtag", "url"]
    assert find_entities("https://x.de/a.") == [mark("url", 0, 14)]


def test_what_people_type() -> None:
    """As the apps read it: signs around words are formatting, a lone star is a star."""
    assert read_typed("**a** 2*3 `c`") == ("a 2*3 c", [mark("bold", 0, 1), mark("code", 6, 1)])
