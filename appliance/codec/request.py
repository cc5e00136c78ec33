"""A task as a document: written by who asks, checked by who is asked."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Mapping
from typing import Any, Final

from appliance.codec.line import Sink, Task
from appliance.codec.source import Handed
from appliance.codec.wire import Garbled

LONGEST_WORD: Final = 64
LONGEST_CHARSET: Final = 256
LARGEST: Final = (1 << 63) - 1


def document_of_task(task: Task) -> dict[str, Any]:
    """Return what a child, or the service, is told of a task besides its file."""
    source = task.source
    return {
        "operation": task.operation,
        "arguments": task.arguments,
        "offset": source.offset,
        "length": source.length,
        "transfer_syntax_uid": source.transfer_syntax_uid,
        "assumed_charset": source.assumed_charset,
        "background": task.background,
    }


def task_of(document: Mapping[str, Any], descriptor: int, sink: Sink) -> Task:
    """Return the task that another process asks for, on a file that it has opened.

    `descriptor` has to be a regular file, open for reading alone. Raises Garbled, OSError.
    """
    source = Handed(
        descriptor,
        _number(document, "offset"),
        _number(document, "length"),
        _text(document, "transfer_syntax_uid", LONGEST_WORD),
        _text(document, "assumed_charset", LONGEST_CHARSET),
    )
    arguments, background = document.get("arguments"), document.get("background")
    if not isinstance(arguments, dict) or not isinstance(background, bool) or not _is_plain_file(descriptor):
        raise Garbled
    return Task(_text(document, "operation", LONGEST_WORD), source, arguments, sink, background=background)


def _number(document: Mapping[str, Any], name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise Garbled
    return value


def _text(document: Mapping[str, Any], name: str, most: int) -> str:
    value = document.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise Garbled
    return value


def _is_plain_file(descriptor: int) -> bool:
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    return stat.S_ISREG(os.fstat(descriptor).st_mode) and flags & os.O_ACCMODE == os.O_RDONLY
