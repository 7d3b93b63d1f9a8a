"""The capability matrix in `docs/connectors.md` is what the connectors say of themselves."""

from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from hub.connectors.contract import ActionKind, AnyConnector, FetchesMedia, Polls
from hub.connectors.events import MediaKind, Style
from hub.connectors.registry import Registry, discover
from tests.connectors.samples import ALL, Samples

PAGE = Path(__file__).parents[2] / "docs" / "connectors.md"
BEGIN, END = "<!-- matrix -->\n", "<!-- /matrix -->"
UNITS = {"utf16": "UTF-16 units", "characters": "characters", "utf8": "bytes of UTF-8"}
ACTIONS = {"edit": "change", "delete": "delete", "react": "react", "typing": "show typing", "read": "mark as read"}
SCOPES = {"messenger": "everywhere on the messenger", "channel": "on this channel only"}


def capability_matrix(registry: Registry) -> str:
    """The tables as they must stand in the page."""
    connectors = list(registry.values())
    return f"{_table(FACTS, [_facts(one) for one in connectors])}\n{_table(CONTENTS, [_contents(one) for one in connectors])}"


FACTS = ("messenger", "longest text", "reports", "reply window", "an address means one person", "repeats safely", "per second",
         "comes in by", "files are fetched")  # fmt: skip
CONTENTS = ("messenger", "formatting", "files, up to MB", "longest text of a file", "place", "answers to press", "replies",
            "besides", "reactions", "changes and deletions within", "what is taken back")  # fmt: skip


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _facts(connector: AnyConnector) -> tuple[str, ...]:
    can = connector.capabilities
    return (
        f"{connector.label} (`{connector.connector}`)",
        f"{can.max_text} {UNITS[can.text_unit]}",
        ", ".join(status for status in ("sent", "delivered", "read") if status in can.confirms) or "nothing after sending",
        "without end" if can.reply_window_hours is None else f"{can.reply_window_hours} h",
        SCOPES[can.address_scope],
        "yes" if can.idempotent_sends else "no",
        f"{can.per_second:g}",
        ", ".join(["webhook"] * can.webhook + ["polling"] * isinstance(connector, Polls)),
        "at hand" if can.media_at_hand else "yes" if isinstance(connector, FetchesMedia) else "no",
    )


def _contents(connector: AnyConnector) -> tuple[str, ...]:
    can = connector.capabilities
    files = [f"{kind} {can.media[kind].bytes / 1_000_000:g}" for kind in get_args(MediaKind) if kind in can.media]
    return (
        connector.label,
        ", ".join(style for style in get_args(Style) if style in can.styles) or "none",
        ", ".join(files) or "none",
        f"{can.max_caption} {UNITS[can.text_unit]}" if can.max_caption else "none",
        "yes" if can.location else "no",
        f"{can.choice.options} of {can.choice.label} characters" if can.choice else "no",
        "yes" if can.replies else "no",
        ", ".join(ACTIONS[action] for action in get_args(ActionKind) if action in can.actions) or "nothing",
        f"{len(can.reactions)} emoji" if can.reactions else "any" if "react" in can.actions else "none",
        "without end" if can.edit_hours is None else f"{can.edit_hours} h",
        "is deleted here" if can.erases_deleted else "goes from view",
    )


COUNTS = ("messenger", "samples in", "kinds of events", "kinds of content in", "requests out that arrive", "refusals told apart",
          "classes of refusal", "rows of set-up, files and polls")  # fmt: skip
COUNTS_BEGIN, COUNTS_END = "<!-- counts -->\n", "<!-- /counts -->"


def counts_of_samples() -> str:
    """The table as it must stand in the page."""
    return _table(COUNTS, [_counts(samples) for samples in ALL])


def _counts(samples: Samples) -> tuple[str, ...]:
    events = [event for sample in samples.inbound() for event in sample.events]
    contents = {
        str(event["content"]["kind" if event["content"]["content"] == "Media" else "content"])
        for event in events
        if "content" in event
    }
    out = samples.table("outbound")
    refusals = [row for row in out if "error" in row]
    told = {(row["error"], row.get("provider_code", row["name"])) for row in refusals}
    besides = (("fetch", FetchesMedia), ("poll", Polls))
    tables = ["setup", *(name for name, ability in besides if isinstance(samples.connector, ability))]
    counts = (
        len(samples.inbound()),
        len({event["event"] for event in events}),
        len(contents),
        len(out) - len(refusals),
        len(told),
        len({row["error"] for row in refusals}),
        sum(len(samples.table(name)) for name in tables),
    )
    return (samples.connector.label, *map(str, counts))


def test_the_counts_in_the_docs_are_current() -> None:
    written = PAGE.read_text("utf-8").partition(COUNTS_BEGIN)[2].partition(COUNTS_END)[0]
    current = counts_of_samples()
    assert written == current, f"put this between the marks in docs/connectors.md:\n{current}"


def test_the_matrix_in_the_docs_is_current() -> None:
    written = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    current = capability_matrix(discover())
    assert written == current, f"put this between the marks in docs/connectors.md:\n{current}"
