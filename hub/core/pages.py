"""What every page stands on: templates, static files, the headers of each answer, and how an error looks.

`render` draws a template of `frontend/templates`. In every template:

    t              the Translator of the person's language
    access         who is asking (`request.state.access`), or None
    zone           the time zone that times are shown in
    static(name)   address of a file of `frontend/static`; it changes when any of them changes
    parts          the macros of `parts.html`, also inside a block that is drawn alone
    |time |seconds |date |day |day_line |near |short |number |language    filters that speak the page's language and zone
    |initials |show_id    a name's letters; `"conv"|show_id(id)`

`install` gives an application all of it. Nothing here knows a domain word.
"""

import hashlib
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.core import clock, i18n, ids
from hub.core.bodies import Bodies, BodyTooLarge
from hub.core.db import STORE_TROUBLE
from hub.core.errors import Forbidden, HubError, InvalidInput, NotFound, Unavailable
from hub.core.i18n import Translator
from hub.core.settings import Settings

FRONTEND: Final = Path(__file__).parents[2] / "frontend"
DEFAULT_ZONE: Final = "Europe/Berlin"
"""Zone of pages that belong to no organisation (log-in)."""
CONTENT_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
YEAR_SECONDS: Final = 31_536_000


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of `frontend/static` or `frontend/vendor` as it is served."""

    body: bytes
    media_type: str


@cache
def static_files() -> dict[str, StaticFile]:
    """All static files by name, read once per process: what is not in here cannot be asked for."""
    files = {}
    for folder, prefix in ((FRONTEND / "static", ""), (FRONTEND / "vendor", "vendor/")):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".md":
                kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                files[prefix + path.relative_to(folder).as_posix()] = StaticFile(path.read_bytes(), kind)
    return files


@cache
def static_version() -> str:
    """A hash over all static files. It stands in the path, so files that name each other (`@import`, ES modules) stay together."""
    digest = hashlib.sha256()
    for name, file in static_files().items():
        digest.update(f"{name}:{len(file.body)}:".encode())
        digest.update(file.body)
    return digest.hexdigest()[:12]


def static(name: str) -> str:
    """The address of a static file. KeyError for one that does not exist: a mistake of ours, seen by the first test."""
    static_files()[name]
    return f"/static/{static_version()}/{name}"


class Static:
    """Serves `/static/{version}/{name}`: for ever under the present version, unkept under an older one (a page drawn before an
    update still finds its files)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        version, _, name = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/").partition("/")
        file = static_files().get(name)
        response: Response
        if file is None or scope["method"] not in ("GET", "HEAD"):
            response = Response(status_code=404)
        else:
            keep = f"public, max-age={YEAR_SECONDS}, immutable" if version == static_version() else "no-cache"
            response = Response(file.body, media_type=file.media_type, headers={"cache-control": keep})
        await response(scope, receive, send)


class SecurityHeaders:
    """Puts on every answer: no foreign content, no framing, no guessing of types, and nothing kept unless the answer says so."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = {
            "content-security-policy": CONTENT_POLICY,
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cache-control": "no-store",
        }
        if https:
            self._headers["strict-transport-security"] = f"max-age={YEAR_SECONDS}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


def _initials(name: str) -> str:
    """`Marlene Fröhlich` -> `MF`, `aylin.yildirim` -> `AY`, `+49 151 5550 1834` -> `34`; `?` when there is nothing to show."""
    words = ["".join(letter for letter in word if letter.isalnum()) for word in name.replace(".", " ").replace("_", " ").split()]
    words = [word for word in words if word]
    if not words:
        return "?"
    if all(word.isdigit() for word in words):
        return words[-1][-2:]
    return (words[0][0] + words[-1][0] if len(words) > 1 else words[0][:2]).upper()


def short(at: datetime, t: Translator, zone: ZoneInfo, *, now: datetime) -> str:
    """When, in the room of a list row: `13:04` today, `Mo` in the last six days, else `12.09.`, with the year if it is another."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    age = (today - local.date()).days
    if age == 0:
        return i18n.format_time(at, t.locale, zone)
    if 0 < age < 7:
        return dates.format_date(local.date(), "EEE", locale=t.locale).rstrip(".")
    if local.year != today.year:
        return dates.format_date(local.date(), "MM/yyyy" if t.locale == "de" else "MMM yyyy", locale=t.locale)
    return dates.format_date(local.date(), "dd.MM." if t.locale == "de" else "d MMM", locale=t.locale)


def _language(code: str, locale: str) -> str:
    """`de-AT` -> `Deutsch (Österreich)`; a code that nobody knows stays as it is."""
    try:
        return Locale.parse(code, sep="-").get_display_name(locale) or code
    except (ValueError, UnknownLocaleError):
        return code


def _speaks(form: Callable[[Any, Translator, ZoneInfo, datetime], str]) -> Any:
    """A filter that knows the page's language, zone and the time."""

    @pass_context
    def filter_(context: Context, value: Any) -> str:
        return form(value, context["t"], context["zone"], clock.now())

    return filter_


@cache
def templates() -> Environment:
    """The Jinja environment: escapes everything, and a name that does not exist is an error."""
    env = Environment(
        loader=FileSystemLoader(FRONTEND / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals["static"] = static
    env.filters["initials"] = _initials
    env.filters["time"] = _speaks(lambda at, t, zone, now: i18n.format_time(at, t.locale, zone))
    env.filters["date"] = _speaks(lambda day, t, zone, now: i18n.format_date(day, t.locale, zone))
    env.filters["day"] = _speaks(lambda at, t, zone, now: i18n.format_day(at, t, zone, now=now))
    env.filters["day_line"] = _speaks(lambda at, t, zone, now: i18n.format_day_line(at, t, zone, now=now))
    env.filters["near"] = _speaks(lambda at, t, zone, now: i18n.format_near(at, t, zone, now=now))
    env.filters["short"] = _speaks(lambda at, t, zone, now: short(at, t, zone, now=now))
    env.filters["seconds"] = _speaks(lambda at, t, zone, now: dates.format_time(at.astimezone(zone), "HH:mm:ss", locale=t.locale))
    env.filters["language"] = _speaks(lambda code, t, zone, now: _language(code, t.locale))
    env.filters["show_id"] = ids.show
    env.filters["number"] = _speaks(lambda value, t, zone, now: i18n.format_number(value, t.locale))
    env.globals["parts"] = env.get_template("parts.html").module
    return env


def locale_of(request: Request) -> str:
    """The language of a page: the signed-in person's, else what the browser wishes."""
    access = getattr(request.state, "access", None)
    return i18n.negotiate_locale(access.locale if access else None, request.headers.get("accept-language"))


def page_values(request: Request) -> dict[str, Any]:
    """What every template gets."""
    access = getattr(request.state, "access", None)
    zone = ZoneInfo(getattr(access, "zone", DEFAULT_ZONE))
    return {"request": request, "t": Translator(locale_of(request)), "access": access, "zone": zone}


def draw(request: Request, name: str, /, *, block: str | None = None, **context: Any) -> str:
    """The HTML of a template, or of one of its blocks alone."""
    template = templates().get_template(name)
    values = page_values(request) | context
    if block is None:
        return template.render(values)
    return "".join(template.blocks[block](template.new_context(values)))


def render(request: Request, name: str, /, *, status: int = 200, block: str | None = None, **context: Any) -> HTMLResponse:
    """Answer with a page, or with one block of it for a part that is swapped."""
    return HTMLResponse(draw(request, name, block=block, **context), status_code=status)


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks for a page; scripts and other programs get JSON, swapped parts a fragment."""
    return "text/html" in request.headers.get("accept", "")


def answer_error(request: Request, error: HubError) -> Response:
    """An expected error in the words of the catalogue: a page for a person, JSON for a script."""
    t = Translator(locale_of(request))
    text = t(f"error.{error.code}", **error.values)
    headers = {"retry-after": str(error.values["retry_after"])} if "retry_after" in error.values else None
    if not wants_page(request):
        body: dict[str, Any] = {"error": error.code, "text": text}
        if "field" in error.values:
            body["field"] = error.values["field"]
        return JSONResponse(body, status_code=error.http_status, headers=headers)
    html = draw(request, "error.html", status=error.http_status, text=text)
    return HTMLResponse(html, status_code=error.http_status, headers=headers)


class MethodNotAllowed(HubError):
    """The address exists but takes another method."""

    code = "method_not_allowed"
    http_status = 405


def _of_http(error: HTTPException) -> HubError | None:
    """The framework's own errors in our words; None for those that carry their answer in headers (redirects)."""
    if error.status_code < 400:
        return None
    by_status: dict[int, type[HubError]] = {403: Forbidden, 404: NotFound, 405: MethodNotAllowed, 413: BodyTooLarge}
    return by_status.get(error.status_code, InvalidInput)(str(error.detail))


def install(app: FastAPI, settings: Settings) -> None:
    """Give an application static files, security headers, a limit on bodies and the looks of errors."""
    app.mount("/static", Static(), name="static")
    app.add_middleware(Bodies)
    app.add_middleware(SecurityHeaders, https=settings.base_url.startswith("https://"))

    @app.exception_handler(HubError)
    async def expected(request: Request, error: HubError) -> Response:
        return answer_error(request, error)

    @app.exception_handler(HTTPException)
    async def of_framework(request: Request, error: HTTPException) -> Response:
        ours = _of_http(error)
        if ours is None:
            return Response(status_code=error.status_code, headers=error.headers)
        return answer_error(request, ours)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        place = error.errors()[0]["loc"]
        wrong = NotFound("no such address") if place[0] == "path" else InvalidInput("malformed request", field=str(place[-1]))
        return answer_error(request, wrong)

    unreachable: list[type[Exception]] = [ConnectionError, *(one for one in STORE_TROUBLE if one is not OSError)]
    for trouble in unreachable:

        @app.exception_handler(trouble)
        async def store_down(request: Request, error: Exception) -> Response:
            return answer_error(request, Unavailable(type(error).__name__))

    @app.exception_handler(Exception)
    async def crashed(request: Request, error: Exception) -> Response:
        return answer_error(request, HubError())
