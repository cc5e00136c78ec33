"""The doors of this box, knocked at: a C-ECHO to ourselves, plain and by TLS; how open they stand."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence

from appliance.care import knocking
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Verdict, fault, ok, skipped, together, warning
from appliance.dimse.client import Rejected, echo
from appliance.errors import PeerError
from appliance.scp.access import accepts_unknown

SCP = "scp"
START = "start room scp: systemctl start dicom-edge-scp, or appliance run"
LOOPBACK = ("127.", "::1", "localhost")


def echoes(box: Box) -> Sequence[str]:
    """Name the ports of the DICOM door."""
    return tuple(door.name for door in knocking.doors(box.settings))


def c_echo(box: Box, name: str) -> Verdict:
    """Send a C-ECHO through one port."""
    if box.is_packaged and box.is_insider and not box.rooms().get(SCP, {}).get("alive"):
        return skipped("room scp does not run; a knock would start it, by its socket")
    door = next(one for one in knocking.doors(box.settings) if one.name == name)
    refusal = _by_tls(box, door) if door.is_tls else _plainly(box, door)
    if refusal is not None:
        return refusal
    calling = knocking.caller(box.settings, door.host)
    if not calling:  # a request would be refused, and counted among the callers that somebody should look at
        return skipped(f"it takes connections; not asked further, for no peer of scp.peers calls from {door.host}")
    try:
        echo(knocking.peer(box.settings, door, calling))
    except Rejected:
        mend = "run: systemctl restart dicom-edge-scp, if scp.peers was changed; see: appliance callers list"
        return fault(f"the door refuses us as {calling}, which the configuration lets in", mend)
    except PeerError as error:
        return fault(error.message, f"{START}; if it runs: journalctl -u dicom-edge-scp")
    return ok(f"answered C-ECHO from {calling}")


def _plainly(box: Box, door: knocking.Door) -> Verdict | None:
    try:
        knocking.reach(box.settings, door)
    except OSError as error:
        return fault(f"nobody answers on port {door.port}: {error.strerror or error}", START)
    return None


def _by_tls(box: Box, door: knocking.Door) -> Verdict | None:
    """Shake hands first: what is wrong there is told better than an association that does not come about."""
    try:
        knocking.handshake(box.settings, door)
    except ssl.SSLCertVerificationError as error:
        what = f"port {door.port} does not show our certificate, or it has ended: {error.verify_message}"
        return fault(what, "renew it (appliance-pki renew); restart room scp, if it serves an older one")
    except ssl.SSLError as error:
        return fault(f"no TLS on port {door.port}: {error.reason or error}", "restart room scp, and see its log")
    except OSError as error:
        return fault(f"nobody answers on port {door.port}: {error.strerror or error}", START)
    if knocking.shows_no_client_certificate(box.settings):
        return skipped(
            "TLS works; the door asks for a client certificate, which this box has none of: try from a modality"
        )
    return None


def peers(box: Box, _subject: str) -> Verdict:
    """Say what is known of the systems that store here, and what cannot be tried."""
    known = box.settings.scp.peers
    if not known:
        strangers = accepts_unknown(box.settings.scp.accept_unknown, box.settings.scp.host)
        if strangers:
            return ok("none is configured, and everybody is let in")
        return fault("none is configured, and strangers are refused: nothing can be stored", "add them to scp.peers")
    return skipped(f"{len(known)} are configured; they call us, and the configuration knows no port of theirs to call")


def exposure(box: Box, _subject: str) -> Verdict:
    """Say which doors are open to the network without what should guard them."""
    return together(list(_open_doors(box)), ok("every door is on this machine alone, or guarded"))


def _open_doors(box: Box) -> Iterator[Verdict]:
    scp, web = box.settings.scp, box.settings.web
    outside = not scp.host.startswith(LOOPBACK)
    if outside and accepts_unknown(scp.accept_unknown, scp.host):
        mend = "name the modalities in scp.peers, and set scp.accept_unknown = false"
        yield warning(f"the DICOM door is open to everybody who reaches {scp.host}", mend)
    if not web.is_loopback and web.plain_http and not getattr(web, "socket", None):
        mend = "put nginx with TLS in front (docs/access.md), and set web.plain_http = false"
        yield warning(f"the web door serves {web.host} without TLS: passwords can be read", mend)
    if web.login == "open":
        yield warning("everybody on this machine sees every image: web.login = open", "set web.login = required")
    if box.settings.log.level == "DEBUG":
        yield warning("log.level = DEBUG writes patient data into the log", "set log.level = INFO")
