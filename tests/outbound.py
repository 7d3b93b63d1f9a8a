"""respx in front of the hub's own transport, so that `respx.mock` works with every client that tests and rooms make.

respx replaces `handle_async_request` of httpcore's pools; the hub's clients do not stand on them (hub/core/http.py). Imported by
`conftest.py`, once for all tests.
"""

from typing import Any, ClassVar

import httpx
import respx.mocks
from respx.mocks import HTTPCoreMocker

from hub.core.http import GuardedTransport


class OutboundMocker(HTTPCoreMocker):
    """Takes requests over above the guard, and those of plain httpx clients as before."""

    name = "outbound"
    targets: ClassVar = [*HTTPCoreMocker.targets, f"{GuardedTransport.__module__}.{GuardedTransport.__qualname__}"]

    @classmethod
    def to_httpx_request(cls, **kwargs: Any) -> httpx.Request:
        request = kwargs["request"]
        return request if isinstance(request, httpx.Request) else super().to_httpx_request(**kwargs)  # type: ignore[no-untyped-call]

    @classmethod
    async def from_async_httpx_response(cls, httpx_response: httpx.Response, target: object, **kwargs: Any) -> Any:
        if not isinstance(target, GuardedTransport):
            return await super().from_async_httpx_response(httpx_response, target, **kwargs)  # type: ignore[no-untyped-call]
        # a new one each time: the route may give the same answer to several requests
        return httpx.Response(httpx_response.status_code, headers=httpx_response.headers, stream=httpx_response.stream)


respx.mocks.DEFAULT_MOCKER = OutboundMocker.name
