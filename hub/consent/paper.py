"""A proof for people: a PDF in German or English, with letters for every Latin, Greek and Cyrillic name in it."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from fpdf import FPDF
from fpdf.enums import WrapMode

from hub.consent.evidence import in_words
from hub.core.i18n import Translator, format_date, format_time
from hub.core.pages import FRONTEND

FONT: Final = "DejaVu"
INK: Final = (28, 28, 26)
DIM: Final = (106, 104, 98)
LINE: Final = (222, 220, 214)
LABEL_WIDTH: Final = 42
"""Of the names of fields, in millimetres."""
FIELDS: Final = (
    "source", "method", "text_version", "language", "text", "text_hash", "message_id", "actor", "note", "file", "to", "purpose",
)  # fmt: skip
"""Evidence in the order in which it is told; whatever else there is comes after it, by the name it has in the ledger."""


class _Page(FPDF):
    def __init__(self, t: Translator, foot: str) -> None:
        super().__init__(format="A4")
        self._t, self._foot = t, foot
        folder = FRONTEND / "fonts"
        self.add_font(FONT, "", folder / "DejaVuSans.ttf")
        self.add_font(FONT, "B", folder / "DejaVuSans-Bold.ttf")
        self.set_margins(20, 18, 20)
        self.c_margin = 0
        self.set_auto_page_break(True, 22)
        self.set_lang(t.locale)
        self.alias_nb_pages()

    def footer(self) -> None:
        self.set_y(-16)
        self.write_in(6.5, DIM)
        self.cell(0, 4, self._foot, align="L")
        self.cell(0, 4, self._t("consent.paper.page", number=self.page_no(), of="{nb}"), align="R")

    def write_in(self, size: float, ink: tuple[int, int, int] = INK, *, bold: bool = False) -> None:
        self.set_font(FONT, "B" if bold else "", size)
        self.set_text_color(*ink)

    def paragraph(
        self, text: str, size: float = 9, ink: tuple[int, int, int] = INK, *, bold: bool = False, after: float = 1
    ) -> None:
        self.write_in(size, ink, bold=bold)
        self.multi_cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT", align="L")
        self.ln(after)

    def pair(self, label: str, value: str) -> None:
        """A name and its value beside it."""
        if self.will_page_break(10):
            self.add_page()
        top, page = self.get_y(), self.page
        self.write_in(8, DIM)
        self.multi_cell(LABEL_WIDTH, 4.2, label, align="L")
        under, label_page = self.get_y(), self.page
        self.page = page
        self.set_xy(self.l_margin + LABEL_WIDTH, top)
        self.write_in(8)
        self.multi_cell(
            0, 4.2, value, new_x="LMARGIN", new_y="NEXT", align="L", wrapmode=WrapMode.CHAR if " " not in value else WrapMode.WORD
        )
        if (label_page, under) > (self.page, self.get_y()):
            self.page = label_page
            self.set_y(under)

    def rule(self) -> None:
        self.ln(2)
        self.set_draw_color(*LINE)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())
        self.ln(3)


def draw_proofs(
    proofs: Sequence[dict[str, Any]],
    body: bytes,
    language: str,
    zone: ZoneInfo,
    *,
    missing: Sequence[str] = (),
    to: str = "",
    purpose: str = "",
) -> bytes:
    """The PDF with the file for machines (`body`) inside it; with `to` a hand-out, which begins with what it is for."""
    t = Translator(language)
    page = _Page(t, t("consent.paper.foot", sha256=hashlib.sha256(body).hexdigest()))
    page.set_title(t("consent.paper.hand_out" if to else "consent.paper.title"))
    page.add_page()
    if to:
        page.paragraph(t("consent.paper.hand_out"), 17, bold=True, after=2)
        for label, value in (("to", to), ("for", purpose), ("proved", str(len(proofs))), ("missing", ", ".join(missing) or "0")):
            page.pair(t(f"consent.paper.{label}"), value)
        page.rule()
    for number, proof in enumerate(proofs):
        if number:
            page.add_page()
        _draw(page, t, zone, proof)
    page.embed_file(basename="proof.json", bytes=body, desc=t("consent.paper.title"), mime_type="application/json")
    return bytes(page.output())


def _draw(page: _Page, t: Translator, zone: ZoneInfo, proof: dict[str, Any]) -> None:
    def moment(text: str) -> str:
        at = datetime.fromisoformat(text)
        return f"{format_date(at, t.locale, zone)}, {format_time(at, t.locale, zone)}"

    labels = {one["messenger"]: one["messenger_name"] for one in proof["person"]["addresses"]}
    person, names = proof["person"], {key: one["name"][t.locale] for key, one in proof["purposes"].items()}
    page.paragraph(t("consent.paper.title"), 17, bold=True, after=2)
    page.paragraph(t("consent.paper.lead"), 8.5, DIM, after=3)
    page.pair(t("consent.paper.organisation"), proof["organisation"]["name"])
    page.pair(t("consent.paper.person"), person["name"] or t("consent.paper.nameless"))
    for one in person["addresses"]:
        known = f" ({one['shown']})" if one["shown"] != one["address"] else ""
        page.pair(t("consent.paper.address"), f"{labels[one['messenger']]}: {one['address']}{known}")
    page.pair(t("consent.paper.made_at"), f"{moment(proof['made_at'])} ({zone.key})")
    page.rule()
    page.paragraph(t("consent.paper.state"), 12, bold=True)
    for one in proof["state"]:
        page.pair(f"{labels[one['messenger']]}: {one['address']}", t(f"consent.paper.choice.{one['choice']}"))
        for grant in one["purposes"]:
            since = t("consent.paper.since", at=moment(grant["since"]), seq=grant["entry"]) if grant["since"] else ""
            page.pair(f"   {names[grant['purpose']]}", f"{t('consent.grant.' + grant['state'])} {since}".strip())
    page.rule()
    page.paragraph(t("consent.paper.entries"), 12, bold=True)
    checkpoints = {one["seq"]: one for one in proof["checkpoints"]}
    for entry in sorted(proof["entries"], key=lambda entry: (datetime.fromisoformat(entry["at"]), entry["seq"]), reverse=True):
        said = json.loads(entry["details"])
        about = f": {names[said['purpose']]}" if said.get("purpose") in names else ""
        if page.will_page_break(24):
            page.add_page()
        page.paragraph(f"{t('consent.kinds.' + entry['kind'])}{about}", 9.5, bold=True, after=0.5)
        page.pair(t("consent.paper.at"), moment(entry["at"]))
        page.pair(t("consent.paper.address"), f"{labels[said['messenger']]}: {said['address']}")
        evidence = dict(said["evidence"])
        for name in FIELDS:
            if name in evidence:
                page.pair(t(f"consent.evidence.{name}"), in_words(t, name, evidence.pop(name)))
        for name, value in sorted(evidence.items()):
            page.pair(name, value)
        page.pair(t("consent.paper.entry", seq=entry["seq"]), entry["hash"])
        page.pair(t("consent.paper.signed"), moment(checkpoints[entry["checkpoint"]]["at"]))
        page.ln(3)
    page.rule()
    page.paragraph(t("consent.paper.check"), 12, bold=True)
    page.paragraph(t("consent.paper.how"), 8.5, DIM)
    page.pair(t("consent.paper.key"), proof["key"]["public"])
