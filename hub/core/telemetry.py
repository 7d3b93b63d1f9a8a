"""Logs and request ids. JSON lines with event, time and what an operator needs; never a message's text and never a secret (I10)."""

import logging
import sys

import structlog

from hub.core.settings import Settings


def set_up_logging(settings: Settings) -> None:
    """Structured logs of this process to standard error, library logs included."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(level=max(level, logging.WARNING), stream=sys.stderr, format="%(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("event"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
