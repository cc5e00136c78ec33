"""What the rooms say of their work: structured lines on standard error.

Patient data never goes above DEBUG. Libraries speak through the standard library's logging; they
are routed here and kept short, because some of them print what they received.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import Processor

from appliance.errors import ApplianceError

Format = Literal["console", "json"]

# pynetdicom prints data sets at DEBUG and INFO; pydicom and Python's warnings quote values they dislike.
LIBRARY_LEVELS = {
    "pynetdicom": logging.WARNING,
    "pydicom": logging.CRITICAL,
    # Prints whole records at DEBUG; what fails comes as an error of the sink, without its text.
    "kafka": logging.CRITICAL,
    "py.warnings": logging.CRITICAL,
    "waitress": logging.WARNING,
    "werkzeug": logging.WARNING,
}


def configure(level: str, fmt: Format, room: str, stream: TextIO | None = None) -> None:
    """Send everything this process logs to `stream` (standard error), each line naming the room.

    To be called once, by the room's main, before threads start. Safe to repeat.
    """
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(fmt, out)],
            foreign_pre_chain=_common(room),
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(True)
    for name, least in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(least)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(room),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module: a short constant sentence, then facts as keyword arguments."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def writes_debug(name: str) -> bool:
    """Say whether DEBUG lines of a module are written; to be asked first where there is one per object."""
    return logging.getLogger(name).isEnabledFor(logging.DEBUG)


def _common(room: str) -> list[Processor]:
    def name_room(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("room", room)
        return event

    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_room,
        _one_line,
    ]


def _one_line(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control characters: what a peer sent must not begin a line of its own or move the cursor."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    return event


def _rendering(fmt: Format, out: TextIO) -> list[Processor]:
    if fmt == "json":
        return [_traced, structlog.processors.JSONRenderer()]
    return [_traced, structlog.dev.ConsoleRenderer(colors=out.isatty())]


def _traced(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put a traceback in place of `exc_info`: places and kinds, no local variable, and no words that quote a value."""
    found = event.pop("exc_info", None)
    error = sys.exception() if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = "\n\n".join(_places(one) for one in _chain(error))
    return event


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it, latest first."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _places(error: BaseException) -> str:
    return f"Traceback (most recent call last):\n{''.join(traceback.format_tb(error.__traceback__))}{_said(error)}"


def _said(error: BaseException) -> str:
    """Name an error; its words only where they are ours or the operating system's, and no file's name."""
    kind = type(error).__qualname__
    if isinstance(error, OSError):
        words = str(error) if error.filename is None else error.strerror
    else:
        words = str(error) if isinstance(error, ApplianceError) else ""
    return f"{kind}: {words}" if words else kind
