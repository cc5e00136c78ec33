"""Drop-ins of the DICOM sockets: the addresses that systemd opens, low ports among them. Pure text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from appliance import places
from appliance.care.setup.answers import written

NAME: Final = "50-installation.conf"
PLAIN: Final = "dicom-edge-scp.socket"
TLS: Final = "dicom-edge-scp-tls.socket"
ROOM: Final = "dicom-edge-scp.service"
HEAD: Final = "# Written by `appliance init --system` from the configuration; run that after a change of it.\n"
# A unit whose condition does not hold is passed over in silence: there is a root directory.
NEVER: Final = "[Unit]\nConditionPathExists=!/\n"


def drop_in(unit: str) -> Path:
    """Return where the drop-in of a unit stands."""
    return places.DROP_INS / f"{unit}.d" / NAME


def drop_ins(host: str, ports: Sequence[int], tls_port: int | None) -> Iterator[tuple[Path, str]]:
    """Return each drop-in with its text; `host` is an IP address."""
    yield drop_in(PLAIN), HEAD + _listening(host, ports)
    yield drop_in(TLS), HEAD + (_listening(host, (tls_port,)) if tls_port is not None else NEVER)


def _listening(host: str, ports: Sequence[int]) -> str:
    # The empty one takes back what the unit itself says.
    lines = ["[Socket]", "ListenStream=", *(f"ListenStream={written(host, port)}" for port in ports)]
    return "\n".join(lines) + "\n"
