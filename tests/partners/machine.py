"""A machine of its own: Debian with its real systemd in a container, and a network with nobody else on it.

The container has one network card; its other end is in a network namespace, "the clinic", from which the tests call it.
Neither of the two reaches anything else. What runs in it dies with this process.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from tests.waiting import wait_until

ADDRESS: Final = "192.168.94.2"
CLINIC: Final = "192.168.94.1"
NOTHING: Final[Mapping[str, str]] = {}
BOOT_SECONDS: Final = 60.0
STOP_SECONDS: Final = 90.0
RUN_SECONDS: Final = 120.0
# systemd.exit and poweroff, as systemd(1) names them.
POWER_OFF: Final = signal.SIGRTMIN + 4
CLONE_NEWNET: Final = 0x40000000
# Two containers in one control group would end each other's units.
APART: Final = 'while [ "$1" != -- ]; do mkdir -p "$1" && echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'
HIERARCHIES: Final = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
HOW: Final = ("--register=no", "--keep-unit", "--quiet", "--settings=no", "--resolv-conf=off", "--timezone=off")


class Machine:
    """One Debian below `root`, off at first. A context manager: on exit it and its network are gone."""

    def __init__(self, root: Path, name: str) -> None:
        """Make the network; nothing is started. `name` is the host's name: letters and digits, at most 8."""
        self.root = root
        self.name = name
        self.log = root.with_name(f"{root.name}.console")
        self._clinic, self._space = f"clinic-{name}-{os.getpid()}", f"box-{name}-{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        for space in (self._clinic, self._space):
            _ip("netns", "add", space)
        _ip("link", "add", "card0", "netns", self._space, "type", "veth", "peer", "name", "clinic0",
            "netns", self._clinic)  # fmt: skip
        for space, card, address in ((self._clinic, "clinic0", CLINIC), (self._space, "card0", ADDRESS)):
            _ip("-n", space, "address", "add", f"{address}/24", "dev", card)
            _ip("-n", space, "link", "set", card, "up")
            _ip("-n", space, "link", "set", "lo", "up")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Cut the power and take the network away."""
        self.cut_power()
        for space in (self._clinic, self._space):
            _ip("netns", "delete", space)
        for cell in self._cells():
            for folder, _, _ in os.walk(cell, topdown=False):
                os.rmdir(folder)

    @property
    def runs(self) -> bool:
        """Whether it is on."""
        return self._process is not None and self._process.poll() is None

    def boot(self) -> None:
        """Switch it on and wait until systemd has started everything, or says what failed."""
        assert not self.runs
        with self.log.open("ab") as console:
            command = ["systemd-nspawn", *HOW, "--directory", str(self.root), f"--machine={self.name}", "--boot"]
            command.append(f"--network-namespace-path=/run/netns/{self._space}")
            apart = ["sh", "-c", APART, "sh", *self._cells(), "--", "setpriv", "--pdeathsig", "KILL"]
            self._process = subprocess.Popen(
                [*apart, *command], stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT
            )
        self._leader = wait_until(self._child, BOOT_SECONDS)
        wait_until(self._is_up, BOOT_SECONDS, every=0.1)

    def power_off(self) -> None:
        """Shut down as the button does: units are stopped in order."""
        os.kill(self._leader, POWER_OFF)
        self._ended(STOP_SECONDS)

    def cut_power(self) -> None:
        """Kill every process of the machine at once. What the kernel has not written is written all the same."""
        if self.runs:
            with suppress(ProcessLookupError):
                os.kill(self._leader or self._process.pid, signal.SIGKILL)  # type: ignore[union-attr]
            self._ended(STOP_SECONDS)

    def run(
        self,
        *command: str,
        check: bool = True,
        seconds: float = RUN_SECONDS,
        text: str = "",
        environ: Mapping[str, str] = NOTHING,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside as root; `text` goes to its standard input, `environ` to its few variables."""
        inside = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TERM=dumb", "HOME=/root"]
        inside += [f"{name}={value}" for name, value in environ.items()]
        done = subprocess.run(
            [*self._door(), *inside, *command],
            input=text, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def shell(self, script: str, **how: Any) -> str:
        """Run a script of sh inside as root; return what it printed."""
        return self.run("sh", "-euc", script, **how).stdout

    @contextmanager
    def clinic(self) -> Iterator[None]:
        """Be in the clinic's network, with this thread and every program it starts: the machine is at ADDRESS."""
        with open("/proc/thread-self/ns/net") as ours, open(f"/run/netns/{self._clinic}") as theirs:
            _enter(theirs.fileno())
            try:
                yield
            finally:
                _enter(ours.fileno())

    def pid(self, unit: str) -> int:
        """The main process of a unit as the machine counts it; 0 when it does not run."""
        return int(self.show(unit, "MainPID"))

    def show(self, unit: str, fact: str) -> str:
        """A property of a unit."""
        return self.shell(f"systemctl show --property={fact} --value {unit}").strip()

    def active(self, unit: str) -> bool:
        """Whether the unit runs and is ready."""
        return self.run("systemctl", "--quiet", "is-active", unit, check=False).returncode == 0

    def _door(self) -> list[str]:
        # Not its user namespace: it has none of its own.
        return ["nsenter", "--target", str(self._leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--"]

    def _cells(self) -> list[str]:
        """The control group of its own, in each hierarchy that systemd uses."""
        found = [place for place in HIERARCHIES if Path(place, "cgroup.procs").exists()]
        return [f"{place}/box-{self.name}-{os.getpid()}" for place in found]

    def _child(self) -> int:
        assert self._process is not None
        assert self._process.poll() is None, f"the container ended: {self.log.read_text(errors='replace')[-2000:]}"
        # The first child makes the namespaces and the second is process 1 in them; before exec it is no systemd.
        for pid in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split():
            status = Path(f"/proc/{pid}/status").read_text()
            if "Name:\tsystemd\n" in status and re.search(r"^NSpid:.*\t1$", status, re.MULTILINE):
                return int(pid)
        return 0

    def _is_up(self) -> bool:
        # Before it has read its units it has nothing to do, and calls that "running".
        if not self.active("multi-user.target"):
            return False
        said = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return said in ("running", "degraded")

    def _ended(self, seconds: float) -> None:
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._leader = 0


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
