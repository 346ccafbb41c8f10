"""Structured logging: constant sentences, values as fields, one JSON line each on stderr."""

import logging
import sys
from typing import cast

import structlog


def configure_logs(level: str = "info") -> None:
    """Send every record at `level` or above to standard error; call once per process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose records carry `logger_name=name`; pass `__name__`."""
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(logger_name=name))
