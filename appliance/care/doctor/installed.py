"""Whether the sockets and the proxy were set up with what the configuration says now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from appliance import places
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Verdict, fault, ok, skipped, warning
from appliance.care.doctor.front import PARTS, front
from appliance.care.setup.sockets import NEVER, PLAIN, TLS
from appliance.config.loading import lookalikes

UNITS = Path("/usr/lib/systemd/system")
SET_UP = "run: appliance init --system && systemctl daemon-reload && systemctl restart appliance.target"
_LISTEN = re.compile(r"^[ \t]*ListenStream[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)
ANYWHERE = {"0.0.0.0", "::", "[::]", ""}


def configuration(box: Box, _subject: str) -> Verdict:
    """Say where the configuration comes from; it has been read by the time this is asked."""
    stray = lookalikes(box.environ)
    if stray:
        return warning("; ".join(stray), "rename or unset the variables")
    sources = sorted({origin.partition(" variable ")[0] for origin in box.origins.values()})
    return ok(f"valid; {len(box.origins)} keys set by {', '.join(sources) or 'nobody'}")


def sockets(_box: Box) -> Sequence[str]:
    """Name the sockets of the DICOM door."""
    return (PLAIN, TLS)


def socket_in_step(box: Box, unit: str) -> Verdict:
    """Compare what a socket unit listens on with what the configuration names."""
    if not box.is_packaged:
        return skipped("not installed as a package: no unit listens for this home")
    if not box.place(UNITS / unit).is_file():
        return fault(f"{unit} is not installed", "install the package again")
    listens, wanted = _listens(box, unit), _wanted(box, unit)
    if listens == wanted:
        return ok(f"listens on {_named(wanted)}, as configured" if wanted else "listens nowhere, as configured")
    return fault(f"the socket listens on {_named(listens)}, the configuration says {_named(wanted)}", SET_UP)


def _wanted(box: Box, unit: str) -> frozenset[str]:
    scp = box.settings.scp
    if unit == PLAIN:
        ports = (scp.port, *getattr(scp, "additional_ports", ()))
    else:
        ports = () if scp.tls_port is None else (scp.tls_port,)
    return frozenset(_address(f"[{scp.host}]:{port}" if ":" in scp.host else f"{scp.host}:{port}") for port in ports)


def _listens(box: Box, unit: str) -> frozenset[str]:
    """Return what a unit with its drop-ins listens on; an empty assignment takes back what was before it."""
    found: list[str] = []
    for path in (box.place(UNITS / unit), *_drop_ins(box, unit)):
        text = path.read_text(encoding="utf-8", errors="replace")
        if NEVER in text:
            return frozenset()
        for value in _LISTEN.findall(text):
            found = [*found, value] if value else []
    return frozenset(map(_address, found))


def _drop_ins(box: Box, unit: str) -> list[Path]:
    """Return the drop-ins in the order in which they count: by name, wherever they lie."""
    folders = (box.place(UNITS / f"{unit}.d"), box.place(places.DROP_INS / f"{unit}.d"))
    named = {path.name: path for folder in folders for path in folder.glob("*.conf")}
    return [named[name] for name in sorted(named)]


def _address(text: str) -> str:
    """Return an address in one spelling: a bare port means every network."""
    host, _, port = text.rpartition(":")
    return f"*:{port}" if host in ANYWHERE else text


def _named(addresses: Iterable[str]) -> str:
    return ", ".join(sorted(addresses)) or "nothing"


def proxy(box: Box, _subject: str) -> Verdict:
    """See whether nginx was given an address and a certificate; whether it serves them, the line `pages` says."""
    if not box.is_packaged:
        return skipped("not installed as a package: no proxy belongs to this home")
    found = front(box)
    if not found.listens:
        return fault(f"nothing in {PARTS} says where nginx listens: no browser gets in", SET_UP)
    lacking = [str(path) for path in (*found.certificates, *found.keys) if not _is_there(box.place(path))]
    if lacking:
        return fault(f"{', '.join(lacking)} is missing, which nginx needs", SET_UP)
    return ok(f"nginx is to listen on {', '.join(found.listens)}")


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return True
