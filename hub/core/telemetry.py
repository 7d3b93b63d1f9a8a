"""Logs: one JSON object a line on standard error, ours and the libraries' alike; never a message's text and never a secret (I10).

    event, level, timestamp     what happened, how bad it is, when (UTC)
    logger                      only on lines of libraries
    request, delivery, channel, message, part, attempt      ids to search for; docs/deploy.md says which line carries which
    error, trace                type of an exception and where it came from

An exception's words and the arguments of a library's line are withheld: drivers quote rows and parameters in them, and with those a
customer's message. Type and place are what is needed to find a defect.
"""

import logging
import sys
from traceback import extract_tb
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from hub.core.settings import Settings

_level = logging.NOTSET
"""From which level on this process tells."""

_WITHHELD: Final = "…"
_FRAMES: Final = 20
"""How many places of a trace are shown, the innermost ones."""


def set_up_logging(settings: Settings) -> None:
    """Logs of this process from now on. Libraries speak from level warning on, whatever HUB_LOG_LEVEL says."""
    global _level
    level = _level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    ours: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_error,
    ]
    render = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[*ours, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = _Library()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *ours],
            use_get_message=False,
        )
    )
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not isinstance(one, _Library)] + [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def is_told(level: int) -> bool:
    """Whether a line of this level is read by anybody: asked where it is made for every request or delivery, and costs nothing."""
    return level >= _level


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn says what ours do not: a crash has been written down with its request (`core/requests.py`)."""
    return not str(record.msg).startswith("Exception in ASGI application")


class _Library(logging.Handler):
    """Writes the lines of libraries to where standard error is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(_without_arguments(record)) + "\n")


def _without_arguments(record: logging.LogRecord) -> logging.LogRecord:
    """The line without what may be a customer's: numbers stay, exceptions become their type, all else is withheld."""
    shown = logging.makeLogRecord(record.__dict__)
    if isinstance(record.msg, OSError):
        shown.msg = str(record.msg)  # the system's words: an address that is in use, a file that is missing
    else:
        line = str(record.msg).partition("\n")[0] if isinstance(record.msg, str) else type(record.msg).__name__
        arguments = record.args if isinstance(record.args, tuple) else ()
        try:
            shown.msg = line % tuple(_shown(one) for one in arguments)
        except (TypeError, ValueError):
            shown.msg = line
    shown.args = ()
    return shown


def _shown(argument: object) -> object:
    if isinstance(argument, BaseException):
        return type(argument).__name__
    return argument if isinstance(argument, int | float) else _WITHHELD


def _tell_error(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """In the place of `exc_info`: the exception's type, those it came from, and where it was raised."""
    given: Any = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else sys.exc_info()[1] if given is True else given
    if isinstance(error, BaseException):
        event["error"] = " from ".join(type(one).__name__ for one in _chain(error))
        frames = extract_tb(error.__traceback__)[-_FRAMES:]
        event["trace"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _chain(error: BaseException) -> list[BaseException]:
    """The exception and those that led to it, the newest one first."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain
