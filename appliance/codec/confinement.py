"""What a child gives up before it looks at anything: network, files, memory without end, a life of its own.

Each step that the kernel or a container does not allow is left out; the bounds of `setrlimit` always hold.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Final

from appliance.codec.landlock import restrict

PR_SET_PDEATHSIG: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
CLONE_NEWIPC: Final = 0x08000000
DESCRIPTORS: Final = 64
# What a task may use of the processor beyond its deadline, at which the parent kills it anyway.
CPU_GRACE_SECONDS: Final = 10


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def confine(memory_bytes: int) -> None:
    """Give up network and privileges; bound memory, files and descriptors.

    To be called while the process has a single thread and has opened nothing.
    """
    libc = _libc()
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # An empty network of its own; without privileges that takes a user namespace, too.
    if libc.unshare(CLONE_NEWNET | CLONE_NEWIPC) != 0:
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC)
    restrict(libc)
    for limit, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
    ):
        _lower(limit, most)


def allow_processor_time(seconds: float) -> None:
    """Have the kernel end this process when the task that begins now uses more processor time than this."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + CPU_GRACE_SECONDS
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _lower(limit: int, most: int) -> None:
    _, hard = resource.getrlimit(limit)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (bound, bound))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
