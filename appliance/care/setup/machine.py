"""The machine that is set up: where its files are, who its users are, how its programs are called.

`root` is / on a machine that sets itself up. Below another root the same files are made, and nothing of the machine
around it is touched: tests, and images that are prepared for another machine.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import places
from appliance.errors import ConfigurationError

SECONDS: Final = 600
UMASK: Final = 0o027
# Not from the directory that somebody happens to stand in.
PYTHON: Final = (sys.executable, "-P", "-m")
# Of the caller's environment a child sees these alone: a variable of the administrator's shell must not end up in
# what the services will run with.
KEPT: Final = ("PATH", "PYTHONPATH", "LANG", "TZ")
# What goes to and fro is UTF-8, whatever the locale of whoever installs: a password is more than ASCII.
UTF8: Final = {"PYTHONUTF8": "1"}


@dataclass(frozen=True, slots=True)
class Machine:
    """Names and places of one machine. `user`, `group`, `files_group` are names of its user list."""

    root: Path = Path("/")
    user: str = places.USER
    group: str = places.GROUP
    files_group: str = places.FILES_GROUP

    @property
    def is_live(self) -> bool:
        """Whether this machine runs, under systemd, and can be told to take up changes."""
        return self.root == Path("/") and Path("/run/systemd/system").is_dir()

    def at(self, path: Path) -> Path:
        """Return where `path` of the machine lies."""
        return self.root / path.relative_to("/")

    def root_ids(self) -> tuple[int, int]:
        """Return owner and group of what is root's; below another root, of whoever prepares it."""
        return (0, 0) if self.root == Path("/") else (os.geteuid(), os.getegid())

    def knows_users(self) -> bool:
        """Say whether user and groups are there."""
        try:
            self.uid()
            self.gid(self.group)
            self.gid(self.files_group)
        except KeyError:
            return False
        return True

    def uid(self) -> int:
        """Return the number of the appliance's user. Raises KeyError."""
        return pwd.getpwnam(self.user).pw_uid

    def gid(self, group: str) -> int:
        """Return the number of a group. Raises KeyError."""
        return grp.getgrnam(group).gr_gid

    def appliance(self, *arguments: str, given: str = "", ends: Sequence[int] = (0,)) -> str:
        """Run `appliance` as its own user, whatever the caller may do; return what it printed.

        `given` goes to its standard input, `ends` are the exit codes that are well. Raises ConfigurationError with
        what it said.
        """
        return self._run([*PYTHON, "appliance", *self._elsewhere(), *arguments], given, as_user=True, ends=ends)

    def locksmith(self, *arguments: str) -> str:
        """Run `appliance-pki` on the machine's certificates, as the caller; return what it printed. Raises as above."""
        folder = str(self.at(places.PKI))
        return self._run([*PYTHON, "pki", "--directory", folder, *arguments])

    def run(self, *command: str) -> str:
        """Run a program of the machine, as the caller; return what it printed. Raises as above."""
        return self._run(list(command))

    def succeeds(self, *command: str) -> bool:
        """Run a program and say whether it ended well; one that is not there did not."""
        try:
            self.run(*command)
        except ConfigurationError:
            return False
        return True

    def _elsewhere(self) -> list[str]:
        """Global options of `appliance` for a machine below another root."""
        if self.root == Path("/"):
            return []
        return ["--config", str(self.at(places.CONFIGURATION)), "--home", str(self.at(places.HOME))]

    def _run(self, command: list[str], given: str = "", *, as_user: bool = False, ends: Sequence[int] = (0,)) -> str:
        name = " ".join(word for word in command if word not in PYTHON)[:100]
        uid, gid, groups = self._identity() if as_user else (None, None, None)
        try:
            done = subprocess.run(
                command, input=given, encoding="utf-8", errors="replace", capture_output=True, check=False,
                timeout=SECONDS, cwd="/",
                umask=UMASK if as_user else 0o022, env=environment(os.environ), user=uid, group=gid,
                extra_groups=groups,
            )  # fmt: skip
        except FileNotFoundError:
            raise ConfigurationError(f"{command[0]} is not installed", hint="install it") from None
        except subprocess.TimeoutExpired:
            raise ConfigurationError(f"{name} did not end within {SECONDS} seconds", hint="run it by hand") from None
        if done.returncode not in ends:
            message, hint = _said(done.stderr)
            raise ConfigurationError(f"{name} failed: {message or done.returncode}", hint=hint)
        return done.stdout

    def _identity(self) -> tuple[int | None, int | None, list[int] | None]:
        """The appliance's user, group and groups; nothing where the caller is nobody else or may not be another."""
        uid, gid = self.uid(), self.gid(self.group)
        if os.geteuid() != 0 or uid == 0:
            return None, None, None
        return uid, gid, os.getgrouplist(self.user, gid)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a child sees of an environment."""
    return {**{name: environ[name] for name in KEPT if name in environ}, **UTF8}


def host_name() -> str:
    """Return the machine's host name, in full where the system knows that."""
    own = socket.gethostname()
    if "." in own:
        return own
    full = socket.getfqdn()
    return full if full.partition(".")[0] == own else own


def addresses() -> tuple[str, ...]:
    """Return the addresses that others reach this machine at, now; none where the system does not tell."""
    program = shutil.which("ip")
    if program is None:
        return ()
    done = subprocess.run(
        [program, "-j", "address", "show", "scope", "global", "up"], capture_output=True, text=True, check=False
    )
    try:
        links = json.loads(done.stdout or "[]")
    except ValueError:
        return ()
    return tuple(str(one["local"]) for link in links for one in link.get("addr_info", []) if "local" in one)


def _said(text: str) -> tuple[str, str]:
    """What a command of ours said on standard error: the message, and the hint below it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    hints = [line.removeprefix("next: ") for line in lines if line.startswith("next: ")]
    rest = [line for line in lines if not line.startswith("next: ")]
    return "; ".join(rest).removeprefix("appliance: ").removeprefix("appliance-pki: ")[:2000], " ".join(hints)
