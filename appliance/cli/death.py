"""The supervisor's death: its rooms must not outlive it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

SUPERVISOR_VARIABLE = "APPLIANCE_SUPERVISOR"
PR_SET_PDEATHSIG = 1


def leave_with_supervisor(supervisor: str) -> None:
    """Have the kernel send SIGTERM when `appliance run` dies, so that no room outlives it.

    `supervisor` is its process id, or "" for a room that was started alone. Linux only.
    """
    if not supervisor or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(supervisor):  # it died before the line above
        os.kill(os.getpid(), signal.SIGTERM)
