"""The website of the sample organisation: a page like any other, with the script tag of the demo's website chat.

GET    /shop
PUT    /shop    ShowChat: the address of the script; the demo tells it at each start
"""

from typing import Final

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.datastructures import URL
from starlette.responses import Response

from hub.core import pages
from hub.sandbox.phone_bodies import Strict

POLICY: Final = (
    "default-src 'self'; script-src 'self' {hub}; connect-src {hub}; img-src 'self' {hub} blob:; media-src {hub} blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""What a careful website allows: itself and the hub."""

router = APIRouter()


class ShowChat(Strict):
    script: str = Field(pattern=r"^https?://[^\s\"'<>;,]+$")


@router.get("/shop")
async def shop(request: Request) -> Response:
    script: str = request.app.state.chat_script
    page = pages.render(request, "sandbox/shop.html", script=script)
    if script:
        url = URL(script)
        page.headers["content-security-policy"] = POLICY.format(hub=f"{url.scheme}://{url.netloc}")
        page.headers["referrer-policy"] = "strict-origin-when-cross-origin"  # the hub notes which websites show a chat
    return page


@router.put("/shop", status_code=204)
async def show_chat(request: Request, body: ShowChat) -> None:
    request.app.state.chat_script = body.script
