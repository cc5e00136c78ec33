"""Who can see what: whether a room could use a file that root is looking at."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from appliance.care.doctor.box import Box

READ, WRITE = "-r", "-w"
PROGRAM = "/usr/bin/test"
SECONDS = 5.0


def rooms_may(box: Box, path: Path, wish: str) -> bool:
    """Say whether the owner of the home, as whom the rooms run, may read (READ) or write (WRITE) a path.

    Root asks a child process that is that user; anybody else can only ask for themselves.
    """
    if not box.is_root:
        return os.access(path, os.R_OK if wish == READ else os.W_OK)
    try:
        owner = box.settings.home.stat()
    except OSError:  # nobody runs there yet
        return True
    if owner.st_uid == 0:
        return True
    try:
        groups = os.getgrouplist(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:
        groups = []
    asked = subprocess.run(
        [PROGRAM, wish, str(path)], user=owner.st_uid, group=owner.st_gid, extra_groups=groups,
        stdin=subprocess.DEVNULL, timeout=SECONDS, check=False,
    )  # fmt: skip
    return asked.returncode == 0
