"""The capability matrix in `docs/connectors.md` is what the connectors say of themselves."""

from pathlib import Path

from hub.connectors.registry import Registry, discover

PAGE = Path(__file__).parents[2] / "docs" / "connectors.md"
BEGIN, END = "<!-- matrix -->\n", "<!-- /matrix -->"
UNITS = {"utf16": "UTF-16 units", "characters": "characters", "utf8": "bytes of UTF-8"}
SCOPES = {"messenger": "everywhere on the messenger", "channel": "on this channel only"}


def capability_matrix(registry: Registry) -> str:
    """The table as it must stand in the page."""
    head = "| messenger | longest text | reports | reply window | an address means one person | repeats safely | per second |"
    lines = [head, "| --- | --- | --- | --- | --- | --- | --- |"]
    for connector in registry.values():
        can = connector.capabilities
        cells = (
            f"{connector.label} (`{connector.connector}`)",
            f"{can.max_text} {UNITS[can.text_unit]}",
            ", ".join(status for status in ("sent", "delivered", "read") if status in can.confirms) or "nothing after sending",
            "without end" if can.reply_window_hours is None else f"{can.reply_window_hours} h",
            SCOPES[can.address_scope],
            "yes" if can.idempotent_sends else "no",
            f"{can.per_second:g}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def test_the_matrix_in_the_docs_is_current() -> None:
    written = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    current = capability_matrix(discover())
    assert written == current, f"put this between the marks in docs/connectors.md:\n{current}"
