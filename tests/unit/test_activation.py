"""Sockets from the service manager, with real descriptors in a process of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from appliance.activation import inherited
from appliance.errors import ConfigurationError
from tests.partners.service_manager import listening, start

REPOSITORY = str(Path(__file__).resolve().parents[2])
PROGRAM = """
import json, os
from appliance.activation import close, inherited
found = inherited(os.environ)
print(json.dumps({
    "ports": {name: [sock.getsockname()[1] for sock in sockets] for name, sockets in found.items()},
    "inheritable": [sock.get_inheritable() for sockets in found.values() for sock in sockets],
    "told": sorted(name for name in os.environ if name.startswith("LISTEN_")),
}))
close(found)
close(found)
"""


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """Three listening sockets."""
    found = [listening() for _ in range(3)]
    yield found
    for one in found:
        one.close()


def run(*handed: tuple[str, socket.socket], program: str = PROGRAM, environ: Mapping[str, str] | None = None) -> str:
    """Run a program with these sockets; return what it printed."""
    told = {**os.environ, "PYTHONPATH": REPOSITORY, **(environ or {})}
    with start([sys.executable, "-c", program], handed, told, subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return output


def test_sockets_come_by_name_and_in_order(sockets: list[socket.socket]) -> None:
    first, second, third = sockets
    found = json.loads(run(("dicom", first), ("web", second), ("dicom", third)))
    ports = [sock.getsockname()[1] for sock in sockets]
    assert found["ports"] == {"dicom": [ports[0], ports[2]], "web": [ports[1]]}


def test_children_inherit_none_and_the_environment_stays(sockets: list[socket.socket]) -> None:
    found = json.loads(run(("dicom", sockets[0])))
    assert found["inheritable"] == [False]
    assert found["told"] == ["LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID"]


def test_what_is_meant_for_another_process_is_left_alone(sockets: list[socket.socket]) -> None:
    told = {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "dicom"}
    assert inherited(told) == {}
    assert inherited({}) == {}


def test_sockets_without_names_are_unknown() -> None:
    told = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0", "LISTEN_FDNAMES": ""}
    assert inherited(told) == {}


MISTAKES = {
    "not numbers": {"LISTEN_FDS": "two"},
    "negative": {"LISTEN_FDS": "-1"},
    "names 2 sockets": {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "a:b"},
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_nonsense_is_an_error_with_a_hint(sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        inherited({"LISTEN_PID": str(os.getpid()), **MISTAKES[sentence]})
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["file", "unconnected", "datagram", "closed"])
def test_what_does_not_listen_is_refused(kind: str) -> None:
    program = f"""
import os, socket
from appliance.activation import inherited
from appliance.errors import ConfigurationError
made = {{
    "file": lambda: os.open("/dev/null", os.O_RDONLY),
    "unconnected": lambda: socket.socket().detach(),
    "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).detach(),
    "closed": lambda: None,
}}[{kind!r}]()
if made is None:
    os.close(3) if os.path.exists("/proc/self/fd/3") else None
elif made != 3:
    os.dup2(made, 3)
try:
    inherited({{"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}})
except ConfigurationError as error:
    print(error.message)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": REPOSITORY}, capture_output=True, text=True,
        timeout=30, check=True,
    )  # fmt: skip
    assert any(word in done.stdout for word in ("does not listen", "is no socket", "is not open")), done
