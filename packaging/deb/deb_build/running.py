"""Runs programs, and says what one said when it fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deb_build.failure import BuildFailed

LAST_LINES = 40
LONGEST = 300


def run(
    command: Sequence[str | Path],
    *,
    where: Path | None = None,
    environ: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> str:
    """Run a program to its end and return its output; with `log`, that file gets all it says. Raises BuildFailed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=where,
            env=None if environ is None else {**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if log else subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise BuildFailed(f"{words[0]} cannot be run: {error.strerror or error}") from error
    if log is not None:
        log.write_text(done.stdout)
    if done.returncode:
        said = [line[:LONGEST] for line in (done.stderr or done.stdout).strip().splitlines()[-LAST_LINES:]]
        raise BuildFailed("\n".join((f"{words[0]} ended with {done.returncode}:", *said)))
    return done.stdout
