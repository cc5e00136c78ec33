"""Runners of the dcmtk command-line tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 60.0


@dataclass(frozen=True)
class Peer:
    """The SCP that the tools call."""

    port: int
    host: str = "127.0.0.1"
    called_ae: str = "APPLIANCE"
    calling_ae: str = "DCMTK"

    @property
    def arguments(self) -> list[str]:
        """AE titles, host and port as every dcmtk client takes them."""
        return ["-aet", self.calling_ae, "-aec", self.called_ae, self.host, str(self.port)]


def tool(name: str) -> str:
    """Path of a dcmtk program; a missing one fails the test with what to install."""
    found = shutil.which(name)
    assert found is not None, f"{name} is missing: apt-get install dcmtk (make test does)"
    return found


def run(
    name: str, *arguments: str | Path, nodelay: bool = True, seconds: float = SECONDS, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end; `check` fails with its output when it exits with an error.

    `nodelay` turns Nagle's algorithm off in dcmtk; its own default is on.
    """
    environ = {**os.environ, "TCP_NODELAY": "1" if nodelay else "0"}
    command = [tool(name), *map(str, arguments)]
    done = subprocess.run(
        command, env=environ, capture_output=True, timeout=seconds, check=False, text=True, errors="replace"
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def echoscu(peer: Peer, *options: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """C-ECHO."""
    return run("echoscu", *options, *peer.arguments, **how)


def storescu(peer: Peer, paths: Sequence[Path], *options: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """C-STORE of files, or of folders with "+sd" and "+r" among the options."""
    return run("storescu", *options, *peer.arguments, *paths, **how)


def dcmsend(peer: Peer, paths: Sequence[Path], *options: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """C-STORE with the contexts the files need; "-dn" keeps it from decompressing them."""
    return run("dcmsend", "-dn", *options, *peer.arguments, *paths, **how)


def dcmdump(path: Path, *options: str, **how: Any) -> str:
    """The file's elements as text."""
    return run("dcmdump", *options, path, **how).stdout


def dcm2json(path: Path, *options: str, **how: Any) -> dict[str, Any]:
    """The file's data set in the DICOM JSON model, bulk data inline."""
    found = json.loads(run("dcm2json", *options, path, **how).stdout)
    assert isinstance(found, dict)
    return found
