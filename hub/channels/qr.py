"""A square to be photographed by the customer's phone, as SVG that stands in the page (strict CSP: no image from elsewhere)."""

import io
from typing import Final

import segno
from markupsafe import Markup

BORDER: Final = 2
"""Modules of quiet ground around it; the card around it is light as well."""


def qr_svg(text: str) -> Markup:
    """The code of a link, in the error correction that a screen needs (M, 15 %); it takes the size that the page gives it."""
    out = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(out, kind="svg", border=BORDER, xmldecl=False, svgns=True, omitsize=True, svgclass="qr", lineclass=None, nl=False)
    return Markup(out.getvalue().decode())
