"""Landlock: a child reads Python's own files and nothing else of the file system, whoever it runs as.

A kernel without Landlock (before 5.13, or started without it) leaves this fence out. Descriptors that are
handed over stay usable: the rules are about paths.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

CREATE_RULESET: Final = 444
ADD_RULE: Final = 445
RESTRICT_SELF: Final = 446
ASK_VERSION: Final = 1
PATH_BENEATH: Final = 1

READ_FILE: Final = 1 << 2
READ_DIRECTORY: Final = 1 << 3
READ: Final = READ_FILE | READ_DIRECTORY
# Since which version of the interface how many rights of files there are; all of them are taken away.
FILE_RIGHTS: Final = ((5, 16), (3, 15), (2, 14), (1, 13))
# Connecting and listening by TCP since version 4, others' abstract sockets and processes since 6.
NET_RIGHTS: Final = 0b11
SCOPES: Final = 0b11

PACKAGE: Final = Path(__file__).parents[1]
LIBRARIES: Final = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache")


def restrict(libc: ctypes.CDLL) -> bool:
    """Forbid this process every path but those of `readable`; return whether the kernel does."""
    version = libc.syscall(CREATE_RULESET, None, 0, ASK_VERSION)
    if version < 1:
        return False
    rights = next((1 << count) - 1 for since, count in FILE_RIGHTS if version >= since)
    attributes = struct.pack("<Q", rights)
    if version >= 4:
        attributes += struct.pack("<Q", NET_RIGHTS)
    if version >= 6:
        attributes += struct.pack("<Q", SCOPES)
    ruleset = libc.syscall(CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        for path, allowed in readable():
            with suppress(OSError):
                _allow(libc, ruleset, path, allowed)
        return bool(libc.syscall(RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def readable() -> Iterator[tuple[Path, int]]:
    """Yield what may be read: the package, the interpreter and its libraries; of other import paths the names only."""
    yield PACKAGE, READ
    own = {Path(path).resolve() for path in sysconfig.get_paths().values()}
    yield from ((path, READ) for path in own)
    yield from ((Path(path), READ) for path in (*LIBRARIES, str(Path(sys.base_prefix, "lib"))))
    # An import looks into every directory of the path; in a checkout one of them may hold the archive.
    yield from ((Path(path), READ_DIRECTORY) for path in sys.path if path and Path(path).resolve() not in own)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, allowed: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("<Qi", allowed if path.is_dir() else READ_FILE, descriptor)
        libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)
