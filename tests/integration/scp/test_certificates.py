"""The DICOM door and its callers' certificates: who is kept out, and that a renewal keeps nobody out."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization

from appliance.scp.access import Peer
from appliance.tls_files import ServerTls, TlsFiles
from pki import issuing, profiles, renewal
from pki.authority import Authority, Issued, Revoked, create
from pki.layout import Layout
from pki.lineage import Record, current
from tests.builders.instances import CT_IMAGE_STORAGE as CT
from tests.integration.scp.doors import OpenDoor, open_door
from tests.partners import dcmtk
from tests.partners.raw_scu import EXPLICIT, RawScu, Rejected
from tests.waiting import wait_until

HOST = "127.0.0.1"
NOW = dt.datetime.now(dt.UTC)
LONG_AGO = NOW - dt.timedelta(days=900)
CONTEXTS = ((CT, (EXPLICIT,)),)
REFUSED = (OSError, ssl.SSLError)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return create("Clinic 7", now=LONG_AGO)


def files(folder: Path, name: str, issued: Issued) -> tuple[Path, Path]:
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(issued.files()["fullchain.pem"])
    paths[1].write_bytes(issued.files()["key.pem"])
    return paths


def modality(authority: Authority, title: str, now: dt.datetime = NOW, days: int = 30, address: str = HOST) -> Issued:
    return authority.issue(profiles.modality(title, addresses=[address], key_type="p256", days=days), now=now)


class Place:
    """A door with an authority, a revocation list and one welcome modality."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder, self.authority = folder, authority
        self.ca, self.crl = folder / "ca.pem", folder / "crl.pem"
        self.ca.write_bytes(authority.pem)
        self.revoked = modality(authority, "CT1")
        gone = [Revoked(self.revoked.certificate.serial_number, NOW)]
        listed = authority.revocation_list(gone, number=1, now=NOW, days=30)
        self.crl.write_bytes(listed.public_bytes(serialization.Encoding.PEM))
        door = authority.issue(profiles.server("localhost", addresses=[HOST]), now=NOW)
        self.tls = ServerTls(TlsFiles(*files(folder, "door", door), self.ca, self.crl), time.monotonic)

    def client(self, issued: Issued | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca))
        if issued is not None:
            context.load_cert_chain(*files(self.folder, "client", issued))
        return context


@pytest.fixture
def place(tmp_path: Path, authority: Authority) -> Place:
    return Place(tmp_path, authority)


@pytest.fixture
def door(place: Place) -> Iterator[OpenDoor]:
    with open_door(tls=place.tls, peers=(Peer("CT1"),), accept_unknown=False) as opened:
        yield opened


def call(door: OpenDoor, tls: ssl.SSLContext, calling: str = "CT1") -> int:
    assert door.tls_port is not None
    with RawScu(HOST, door.tls_port, calling=calling, contexts=CONTEXTS, tls=tls) as scu:
        return scu.store(CT, "1.2.3", EXPLICIT, b"\0" * 64)


def test_the_right_certificate_is_let_in(door: OpenDoor, place: Place) -> None:
    assert call(door, place.client(modality(place.authority, "CT1"))) == 0
    assert door.callers.rejected == []


def _strangers(place: Place) -> dict[str, tuple[Issued | None, str]]:
    other = create("Another site", now=LONG_AGO)
    itself = create("CT1", now=NOW)  # signed by nobody else
    order = profiles.modality("CT1", addresses=[HOST], key_type="p256")
    alone = Issued(order, itself.certificate, itself.key, itself.certificate)
    return {
        "expired": (modality(place.authority, "CT1", LONG_AGO, 10), "expired"),
        "revoked": (place.revoked, "revoked"),
        "other site": (modality(other, "CT1"), "in certificate chain"),
        "self-signed": (alone, "self-signed"),
        "none": (None, "no certificate"),
    }


@pytest.mark.parametrize("kind", ["expired", "revoked", "other site", "self-signed", "none"])
def test_a_certificate_that_is_not_believed_ends_the_handshake_and_is_noted(
    door: OpenDoor, place: Place, kind: str
) -> None:
    issued, reason = _strangers(place)[kind]
    with pytest.raises(Exception) as caught:
        call(door, place.client(issued))
    assert isinstance(caught.value, (*REFUSED, EOFError)) or type(caught.value).__name__ == "Aborted"
    wait_until(lambda: door.callers.rejected != [])
    title, address, noted = door.callers.rejected[0]
    assert (title, address) == ("", HOST) and reason in noted
    assert call(door, place.client(modality(place.authority, "CT1"))) == 0


@pytest.mark.parametrize(
    ("issued_for", "address", "reason"),
    [
        ("CT2", HOST, "certificate of another AE title"),
        ("CT1", "192.0.2.1", "certificate of another address"),
    ],
)
def test_a_certificate_of_somebody_else_is_rejected(
    door: OpenDoor, place: Place, issued_for: str, address: str, reason: str
) -> None:
    with pytest.raises(Rejected):
        call(door, place.client(modality(place.authority, issued_for, address=address)))
    assert door.callers.rejected == [("CT1", HOST, reason)]


def test_our_callers_refuse_a_door_of_another_name(tmp_path: Path, place: Place) -> None:
    elsewhere = place.authority.issue(profiles.server("elsewhere.example"), now=NOW)
    tls = ServerTls(TlsFiles(*files(tmp_path, "elsewhere", elsewhere)), time.monotonic)
    with open_door(tls=tls) as door, pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        call(door, place.client(None))


def test_echoscu_gets_in_with_its_certificate_and_not_without(door: OpenDoor, place: Place) -> None:
    assert door.tls_port is not None
    certificate, key = files(place.folder, "ct1", modality(place.authority, "CT1"))
    peer = dcmtk.Peer(door.tls_port, calling_ae="CT1")
    dcmtk.echoscu(peer, "+tls", str(key), str(certificate), "+cf", str(place.ca))
    assert dcmtk.echoscu(peer, "+tla", "+cf", str(place.ca), check=False).returncode != 0


def test_a_renewal_while_associations_send_drops_none(tmp_path: Path, authority: Authority) -> None:
    """Renewed by the locksmith, on disk, again and again; senders keep theirs, newcomers see the new one."""
    layout = Layout(tmp_path / "pki")
    layout.root.mkdir()
    order = profiles.server("localhost", addresses=[HOST])
    with layout.changing():
        layout.found(authority)
        issuing.issue(layout, authority, Record(order), now=NOW)
    live = layout.live / order.lineage
    tls = ServerTls(TlsFiles(live / "fullchain.pem", live / "key.pem"), time.monotonic)
    client = ssl.create_default_context(cafile=str(layout.ca_certificate))
    stop, stored, faults, serials = threading.Event(), [0, 0], list[str](), set[int]()

    with open_door(tls=tls) as door:
        assert door.tls_port is not None
        port = door.tls_port

        def send(place: int) -> None:
            try:
                with RawScu(HOST, port, contexts=CONTEXTS, tls=client) as scu:
                    while not stop.is_set():
                        assert scu.store(CT, f"1.2.{place}.{stored[place]}", EXPLICIT, b"\0" * 4096) == 0
                        stored[place] += 1
            except Exception as error:  # the test's own thread must tell
                faults.append(repr(error))

        threads = [threading.Thread(target=send, args=(place,)) for place in (0, 1)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            before = current(layout, order.lineage).certificate.serial_number
            with layout.changing():
                renewal.renew(layout, authority, [current(layout, order.lineage)], set(), now=NOW, force=True)
            wait_until(partial(_changed, port, client, before), 10)
            serials.add(_serial(port, client))
        seen = list(stored)
        wait_until(lambda: all(now > then for now, then in zip(stored, seen, strict=True)))
        stop.set()
        for thread in threads:
            thread.join(10)
    assert faults == [] and len(serials) == 3


def _changed(port: int, client: ssl.SSLContext, before: int) -> bool:
    return _serial(port, client) != before


def _serial(port: int, client: ssl.SSLContext) -> int:
    with (
        socket.create_connection((HOST, port), 5) as plain,
        client.wrap_socket(plain, server_hostname="localhost") as shaken,
    ):
        return int((shaken.getpeercert() or {})["serialNumber"], 16)  # type: ignore[arg-type]


def test_a_boxs_certificate_for_the_centre_is_rejected(door: OpenDoor, place: Place) -> None:
    box = place.authority.issue(profiles.box("clinic-8", "0" * 64), now=NOW)
    with pytest.raises(Rejected):
        call(door, place.client(box))
    assert door.callers.rejected == [("CT1", HOST, "certificate of another AE title")]


def test_a_pinned_peer_comes_by_tls_with_its_own_certificate_and_not_at_all_without(place: Place) -> None:
    own, other = modality(place.authority, "CT1"), modality(place.authority, "CT1")
    pinned = Peer("CT1", certificates=(own.certificate.fingerprint(hashes.SHA256()).hex(),))
    with open_door(tls=place.tls, peers=(pinned,), accept_unknown=True) as door:
        assert call(door, place.client(own)) == 0
        with pytest.raises(Rejected):
            call(door, place.client(other))
        for title in ("CT1", " CT1 ", "CT1\0"):
            with pytest.raises(Rejected):
                RawScu(HOST, door.port, calling=title, contexts=CONTEXTS).__enter__()
        assert {reason for _, _, reason in door.callers.rejected} == {"known AE title, not its certificate"}
