"""What may be done to a message that exists: one answer for the page, which offers it, and for the act itself, which refuses."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from hub.connectors.contract import Capabilities
from hub.inbox.page.queries import Line

ARRIVED: Final = ("accepted", "sent", "delivered", "read")
WITH_WORDS: Final = ("text", "choice", "image", "animation", "audio", "voice", "video", "document")
"""Kinds whose text can be changed: a place, a sticker and a video note have none."""
Change = Literal["edit", "delete"]


def why_not(
    capabilities: Capabilities,
    change: Change,
    *,
    direction: str,
    kind: str,
    state: str | None,
    is_deleted: bool,
    parts: int,
    has_key: bool,
    age: timedelta,
) -> str | None:
    """Why our message cannot be changed or taken back at the provider, as a word of the catalogue (`inbox.not_possible.…`), or
    None when it can. `kind` is the file's where it has one, `parts` the number of requests that it left as."""
    if change not in capabilities.actions or direction != "out":
        return "not_here"
    if is_deleted:
        return "deleted"
    if state not in ARRIVED:
        return "not_arrived"
    if capabilities.edit_hours is not None and age > timedelta(hours=capabilities.edit_hours):
        return "too_old"
    if not (has_key and parts):  # one that was written elsewhere has no parts
        return "no_key"
    if change == "edit" and kind not in WITH_WORDS:
        return "no_text"
    if change == "edit" and parts != 1:
        return "several_parts"
    return None


@dataclass(frozen=True, slots=True)
class Offer:
    """What an open conversation offers with each of its messages. `is_open`: this person may write and the gate lets it out."""

    capabilities: Capabilities
    is_open: bool
    now: datetime

    def acts(self, line: Line) -> frozenset[str]:
        """reply, react, edit, delete, copy."""
        acts = set()
        details = line.details
        if line.text and line.kind != "unsupported" and line.deleted_at is None:
            acts.add("copy")
        if self.is_open and line.deleted_at is None:
            if details.has_key and self.capabilities.replies:
                acts.add("reply")
            if details.has_key and line.direction == "in" and "react" in self.capabilities.actions:
                acts.add("react")
            if not any(act.is_open for act in details.acts):
                acts |= {change for change in ("edit", "delete") if self._why_not(line, change) is None}
        return frozenset(acts)

    def _why_not(self, line: Line, change: Change) -> str | None:
        return why_not(
            self.capabilities,
            change,
            direction=line.direction,
            kind=line.content.get("media", line.kind),
            state=line.state,
            is_deleted=line.deleted_at is not None,
            parts=line.details.parts,
            has_key=line.details.has_key,
            age=self.now - line.at,
        )
