"""An answer that never comes."""

import asyncio

from starlette.types import Receive, Send


class Cut(Exception):
    """The connection is cut after so many seconds, without an answer."""

    def __init__(self, after: float) -> None:
        super().__init__(after)
        self.after = after


async def hang_up(receive: Receive, send: Send, seconds: float) -> None:
    """Say nothing for so long, then break off in the middle of an answer; or nothing at all when the caller gave up before."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(gone(), seconds)
    except TimeoutError:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
