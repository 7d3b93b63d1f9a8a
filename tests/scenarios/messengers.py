"""What stories of the messengers share: a simulator below its path at the first socket, the hub at the second."""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from hub.core.settings import Settings
from tests.sandbox.support import Stage

FORM: Final = "multipart/form-data; boundary=grenze"


class Mounted:
    """An application below a path."""

    def __init__(self, prefix: str, app: ASGIApp) -> None:
        self._prefix = prefix
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "path": scope["path"].removeprefix(self._prefix)}, receive, send)


def settings_for(settings: Settings, sockets: tuple[Stage, Stage]) -> Settings:
    """The hub has its socket's address and trusts the simulator's."""
    simulator, hub = sockets
    trusted = frozenset({urlsplit(simulator.address).netloc})
    return settings.model_copy(update={"public_url": hub.address, "trusted_hosts": trusted})


async def form(name: str, data: bytes) -> AsyncIterator[bytes]:
    """The body of a form with one picture, as a browser sends it with `FORM`."""
    disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    yield f"--grenze\r\n{disposition}\r\nContent-Type: image/png\r\n\r\n".encode() + data + b"\r\n--grenze--\r\n"
