"""A DIMSE client: sends data sets to one peer (C-STORE) over one association, or asks whether it is there (C-ECHO)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dsutils import encode
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at run time

from appliance.errors import PeerError

SUCCESS = 0x0000
WARNINGS = range(0xB000, 0xC000)


class Rejected(PeerError):
    """The peer is there, and answered the request for an association with a refusal."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Where to send to, and as whom. Times are seconds. With `tls` the association is within TLS."""

    host: str
    port: int
    called_ae: str
    calling_ae: str
    timeout: float = 30.0
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        """AE title and address, for messages."""
        return f"{self.called_ae} at {self.host}:{self.port}"


def store(peer: Peer, datasets: Sequence[Dataset], sent: Callable[[Dataset], None] = lambda _: None) -> None:
    """Send `datasets` in order; each needs file_meta with its transfer syntax (PS3.4 annex B).

    On return the peer has answered each with success or a warning. `sent` is called after each.
    Raises PeerError at the first refusal; repeating the whole is safe for a peer that knows duplicates.
    """
    association = _associate(peer, contexts(datasets))
    try:
        for dataset in datasets:
            _send(association, dataset, peer)
            sent(dataset)
    finally:
        if association.is_established:
            association.release()


def echo(peer: Peer) -> None:
    """Ask the peer whether it is there (C-ECHO, PS3.4 annex A). Raises PeerError, Rejected where it is but refuses."""
    association = _associate(peer, [build_context(Verification)])
    try:
        status = association.send_c_echo().get("Status")
    except (ValueError, RuntimeError) as error:
        raise PeerError(f"{peer} does not answer a C-ECHO", hint="look at its log") from error
    finally:
        if association.is_established:
            association.release()
    if status != SUCCESS:
        raise PeerError(f"{peer} did not answer a C-ECHO with success", hint="look at its log")


def encoded(dataset: Dataset) -> bytes:
    """Return the bytes that `store` sends: all after group 2, in the data set's transfer syntax. Raises PeerError."""
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    data = encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    if data is None:
        raise PeerError(f"the data set {dataset.SOPInstanceUID} cannot be encoded")
    return data


def contexts(datasets: Sequence[Dataset]) -> list[PresentationContext]:
    """One presentation context per pair of SOP class and transfer syntax."""
    pairs = {(str(ds.SOPClassUID), str(ds.file_meta.TransferSyntaxUID)) for ds in datasets}
    return [build_context(sop_class, syntax) for sop_class, syntax in sorted(pairs)]


def _associate(peer: Peer, wanted: list[PresentationContext]) -> Association:
    entity = AE(ae_title=peer.calling_ae)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = peer.timeout
    entity.connection_timeout = peer.timeout
    association = entity.associate(
        peer.host,
        peer.port,
        contexts=wanted,
        ae_title=peer.called_ae,
        tls_args=None if peer.tls is None else (peer.tls, peer.host),
        evt_handlers=[(evt.EVT_CONN_OPEN, _without_delay)],
    )
    if association.is_rejected:
        raise Rejected(
            f"{peer} refused the association of {peer.calling_ae}",
            hint=f"add {peer.calling_ae} to scp.peers, or set scp.accept_unknown",
        )
    if not association.is_established:
        raise PeerError(f"no association with {peer}", hint="is it running, and is the port right?")
    return association


def _without_delay(event: evt.Event) -> None:
    """Small requests leave at once instead of waiting for the last acknowledgement (Nagle)."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _send(association: Association, dataset: Dataset, peer: Peer) -> None:
    try:
        status = association.send_c_store(dataset).get("Status")
    except ValueError as error:
        raise PeerError(f"{peer} does not accept SOP class {dataset.SOPClassUID}") from error
    except RuntimeError as error:
        raise PeerError(f"{peer} ended the association", hint="look at its log") from error
    if status is None:
        raise PeerError(f"{peer} did not answer", hint="look at its log")
    if status != SUCCESS and status not in WARNINGS:
        raise PeerError(f"{peer} refused {dataset.SOPInstanceUID} with status 0x{status:04X}")
