"""Whoever is not the site they claim to be is refused at the receiver, and is on record."""

from __future__ import annotations

import datetime as dt
import hashlib
import socket
from dataclasses import replace
from urllib.parse import quote

import pytest

from appliance.central.registry import Site as Entry
from tests.builders.certificates import Authority, Pair
from tests.builders.instances import ct, part10
from tests.integration.central.receiver import TOKEN, TYPE, Sender, Site, certificate_digest, stow_body
from tests.partners.nginx import CentralNginx
from tests.waiting import wait_until

ASKED = "/edge/v1/receipts"


def refused(site: Site, sender: Sender, status: int, reason: str, **headers: str) -> None:
    """Send an object and ask for receipts; both are refused, for the stated reason, and the list of callers says so."""
    before = site.refusals().get(f"centre: {reason}", 0)
    assert sender.store(part10(ct()), **headers).status_code == status
    assert sender.ask("GET", ASKED, data=b"", **headers).status_code == status
    wait_until(lambda: site.refusals().get(f"centre: {reason}", 0) >= before + 2, 15)
    metrics = site.centre.get("/metrics")[1].decode()
    (line,) = [row for row in metrics.splitlines() if f'refused_total{{reason="{reason}"}}' in row]
    assert float(line.split()[-1]) >= 2
    assert f"reason={reason}" in site.centre.output()


def test_nobody(site: Site) -> None:
    refused(site, site.sender(), 401, "nobody")


def test_a_token_that_nobody_has(site: Site) -> None:
    refused(site, site.sender(token="made-up"), 401, "token")
    refused(site, site.local(token="made-up"), 401, "token")


@pytest.mark.parametrize("kind", ["self-signed", "other authority", "expired"])
def test_a_certificate_that_the_proxy_does_not_take(site: Site, kind: str) -> None:
    pair = {
        "self-signed": lambda: own_authority(site),
        "other authority": lambda: site.stranger.issue("clinic-7"),
        "expired": lambda: site.authority.issue("clinic-7", ends=-dt.timedelta(minutes=1), file="expired"),
    }[kind]()
    refused(site, site.sender(pair), 403, "certificate")


def own_authority(site: Site) -> Pair:
    """A certificate that nobody but its own key has signed."""
    folder = site.centre.folder / "self"
    folder.mkdir(exist_ok=True)
    return Authority(folder, "clinic-7").itself()


def test_a_revoked_certificate(site: Site) -> None:
    """With the list that the shipped configuration names; the same site comes in with the certificate it has now."""
    gone, now = site.authority.issue("clinic-7", file="gone"), site.authority.issue("clinic-7")
    listed = site.authority.revoke(gone)
    with CentralNginx(site.centre.folder / "crl", site.centre.socket, site.authority.certificate, listed) as nginx:
        behind = replace(site, nginx=nginx)
        refused(behind, behind.sender(gone), 403, "certificate")
        refused(behind, behind.sender(gone, TOKEN), 403, "certificate")
        assert behind.sender(now).ask("GET", ASKED).status_code == 200
        assert behind.sender(token=TOKEN).ask("GET", ASKED).status_code == 200


def test_a_token_beside_a_bad_certificate_does_not_help(site: Site) -> None:
    refused(site, site.sender(site.stranger.issue("clinic-9"), TOKEN), 403, "certificate")


def test_a_site_nobody_knows(site: Site) -> None:
    refused(site, site.sender(site.authority.issue("clinic-77")), 403, "unknown_site")
    assert site.refusals("clinic-77")


def test_a_name_that_is_none(site: Site) -> None:
    refused(site, site.sender(site.authority.issue("../clinic-7", file="dots")), 403, "unknown_site")


def test_a_disabled_site(site: Site) -> None:
    sender = site.sender(site.authority.issue("clinic-6"))
    site.centre.admit("clinic-6", "north")
    assert sender.ask("GET", ASKED).status_code == 200
    site.centre.command("central", "site", "disable", "clinic-6")
    refused(site, sender, 403, "disabled_site")
    site.centre.command("central", "site", "enable", "clinic-6")
    assert sender.ask("GET", ASKED).status_code == 200


def test_another_certificate_than_the_pinned_one(site: Site) -> None:
    pinned = site.authority.issue("clinic-5", file="pinned")
    site.centre.admit("clinic-5", "north", certificate_sha256=(certificate_digest(pinned),))
    assert site.sender(pinned).ask("GET", ASKED).status_code == 200
    refused(site, site.sender(site.authority.issue("clinic-5")), 403, "pinned")


def test_the_token_of_another_site(site: Site) -> None:
    refused(site, site.sender(site.authority.issue("clinic-7"), TOKEN), 403, "mismatch")


def test_a_receiver_is_no_box(site: Site) -> None:
    site.centre.registry.write(Entry("centre-2", "north", role="receiver"))
    refused(site, site.sender(site.authority.issue("centre-2")), 403, "role")


def test_headers_of_the_proxy_over_tcp(site: Site) -> None:
    pem = quote(site.authority.issue("clinic-7").certificate.read_text())
    refused(site, site.local(), 403, "forged", X_Client_Verify="SUCCESS", X_Client_Cert=pem)
    refused(site, site.local(token=TOKEN), 403, "forged", X_Client_Verify="SUCCESS", X_Client_Cert=pem)


def test_headers_of_the_proxy_through_the_proxy(site: Site) -> None:
    """The proxy writes them itself: what a caller sends counts for nothing."""
    pem = quote(site.authority.issue("clinic-7").certificate.read_text())
    refused(site, site.sender(), 401, "nobody", X_Client_Verify="SUCCESS", X_Client_Cert=pem)


def test_another_tenant_than_the_registrys(site: Site, clinic: Sender) -> None:
    refused(site, clinic, 403, "tenant", X_Tenant="south")
    assert clinic.store(part10(ct()), X_Tenant="north").status_code == 200


def test_a_token_opens_the_door_of_its_own_site_alone(site: Site) -> None:
    for sender in (site.local(TOKEN), site.sender(token=TOKEN)):
        file = part10(ct())
        assert sender.store(file).status_code == 200
        (last,) = sender.receipts(site.centre.receipt_key)[-1:]
        assert (last.site, last.tenant) == ("clinic-9", "south")


def test_a_revoked_token_opens_nothing(site: Site) -> None:
    digest = hashlib.sha256(b"for a day").hexdigest()
    site.centre.admit("clinic-4", "north", token_sha256=(digest,))
    assert site.local("for a day").ask("GET", ASKED).status_code == 200
    site.centre.admit("clinic-4", "north")
    assert site.local("for a day").ask("GET", ASKED).status_code == 401
    site.centre.command("central", "site", "remove", "clinic-4")


def test_the_metrics_are_not_for_the_outside(site: Site, clinic: Sender) -> None:
    assert {clinic.ask("GET", path).status_code for path in ("/metrics", "/readyz", "/")} == {404}


def test_a_path_that_is_none_tells_a_stranger_nothing(site: Site, clinic: Sender) -> None:
    assert site.local().ask("GET", "/edge/v1/nothing").status_code == 401
    assert clinic.ask("GET", "/edge/v1/nothing").status_code == 404


@pytest.mark.parametrize("door", ["tcp", "proxy"])
def test_a_strangers_large_body_is_refused_before_it_is_taken(site: Site, door: str) -> None:
    """Only the head is sent: an answer to it means that nothing waited for the body."""
    head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: {TYPE}\r\nContent-Length: {1 << 30}\r\n\r\n"
    if door == "tcp":
        line = socket.create_connection(("127.0.0.1", site.centre.port), timeout=20)
    else:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(20)
        line.connect(str(site.centre.socket))
        head = head.replace("Host: x", "Host: x\r\nX-Client-Verify: NONE")
    with line:
        line.sendall(head.encode())
        assert line.recv(4096).startswith(b"HTTP/1.1 401")


def test_the_socket_is_for_its_group_alone(site: Site) -> None:
    assert site.centre.socket.stat().st_mode & 0o777 == 0o660


def test_nothing_about_a_patient_is_in_the_log(site: Site, clinic: Sender) -> None:
    assert clinic.store(part10(ct(PatientName="Planted^Patient", PatientID="PLANTED-1"))).status_code == 200
    assert site.sender().store(part10(ct(PatientName="Planted^Patient"))).status_code == 401
    assert clinic.store(stow_body(b"x")).status_code == 409
    output = site.centre.output() + (site.centre.folder.parent / "n" / "nginx.log").read_text(errors="replace")
    assert "lanted" not in output and "PLANTED" not in output
