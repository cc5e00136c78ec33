"""Who a request comes from: a certificate the proxy vouches for, a token, and never a mere claim."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.central.doors import PROXIED, Door, claim_of, knows
from appliance.central.identity import Claim, Reason, Unidentified, identify
from appliance.central.registry import Registry, Site, certificate_digest
from tests.builders.certificates import Authority

TOKEN = "secret"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """clinic-7 with a certificate, clinic-8 with a token."""
    found = Registry(tmp_path / "sites")
    found.write(Site("clinic-7", "north"))
    found.write(Site("clinic-8", "south", token_sha256=(hashlib.sha256(TOKEN.encode()).hexdigest(),)))
    return found


@pytest.fixture
def pem(tmp_path: Path) -> str:
    """clinic-7's certificate."""
    return Authority(tmp_path).issue("clinic-7").certificate.read_text()


def shown(pem: str, **more: str) -> Claim:
    return Claim(True, "SUCCESS", quote(pem), **more)


def reason(claim: Claim, registry: Registry) -> Reason:
    with pytest.raises(Unidentified) as caught:
        identify(claim, registry)
    return caught.value.reason


def test_a_certificate_names_its_site(registry: Registry, pem: str) -> None:
    assert identify(shown(pem), registry).name == "clinic-7"


def test_a_token_names_its_site_at_both_doors(registry: Registry) -> None:
    for claim in (Claim(False, authorization=f"Bearer {TOKEN}"), Claim(True, "NONE", "", f"bearer  {TOKEN} ")):
        assert identify(claim, registry).tenant == "south"


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer ", "Basic c2VjcmV0", "secret", "Bearer x", "Bearer secret x"]
)
def test_another_authorization_is_refused(registry: Registry, authorization: str) -> None:
    assert reason(Claim(False, authorization=authorization), registry) is Reason.TOKEN


def test_no_header_over_tcp_is_believed(registry: Registry, pem: str) -> None:
    for claim in (Claim(False, "SUCCESS", quote(pem)), Claim(False, "NONE"), Claim(False, "", quote(pem))):
        assert reason(claim, registry) is Reason.FORGED


@pytest.mark.parametrize("verify", ["FAILED:certificate has expired", "FAILED", "REFUSED", "success", "SUCCESS "])
def test_only_the_proxys_own_word_lets_in(registry: Registry, pem: str, verify: str) -> None:
    claim = Claim(True, verify, quote(pem), f"Bearer {TOKEN}")
    assert reason(claim, registry) is Reason.CERTIFICATE


def test_a_certificate_that_is_none_is_refused(registry: Registry) -> None:
    for text in ("", "nothing", quote("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "%ff%fe"):
        assert reason(Claim(True, "SUCCESS", text), registry) is Reason.CERTIFICATE


def test_a_pinned_site_has_that_certificate_alone(registry: Registry, pem: str, tmp_path: Path) -> None:
    other = Authority(tmp_path, "again").issue("clinic-7").certificate.read_text()
    registry.write(Site("clinic-7", "north", certificate_sha256=(certificate_digest(pem),)))
    assert identify(shown(pem), registry).name == "clinic-7"
    assert reason(shown(other), registry) is Reason.PINNED


def test_certificate_and_token_must_agree(registry: Registry, pem: str) -> None:
    assert reason(shown(pem, authorization=f"Bearer {TOKEN}"), registry) is Reason.MISMATCH
    assert reason(shown(pem, authorization="Bearer made-up"), registry) is Reason.TOKEN
    digest = hashlib.sha256(b"mine").hexdigest()
    registry.write(Site("clinic-7", "north", token_sha256=(digest,)))
    assert identify(shown(pem, authorization="Bearer mine"), registry).name == "clinic-7"


def test_unknown_disabled_and_receiving_sites_are_refused(registry: Registry, pem: str) -> None:
    registry.write(Site("clinic-7", "north", role="receiver"))
    assert reason(shown(pem), registry) is Reason.ROLE
    registry.write(Site("clinic-7", "north", enabled=False))
    assert reason(shown(pem), registry) is Reason.DISABLED
    registry.remove("clinic-7")
    assert reason(shown(pem), registry) is Reason.UNKNOWN


@given(verify=st.text(max_size=12), certificate=st.text(max_size=40), authorization=st.text(max_size=30))
def test_nonsense_is_refused_and_breaks_nothing(verify: str, certificate: str, authorization: str) -> None:
    nobody = Registry(Path("/nonexistent"))
    for proxied in (True, False):
        with pytest.raises(Unidentified):
            identify(Claim(proxied, verify, certificate, authorization), nobody)


def test_the_way_a_request_came_cannot_be_claimed(registry: Registry) -> None:
    for proxied in (True, False):
        seen: list[dict[str, object]] = []

        def application(environ: dict[str, object], start_response: object, seen: list = seen) -> list[bytes]:
            seen.append(environ)
            return []

        environ = {"HTTP_APPLIANCE_PROXIED": "1", PROXIED: "1", "REMOTE_ADDR": "192.0.2.1", "HTTP_AUTHORIZATION": "x"}
        Door(application, proxied=proxied)(environ, lambda *_: None)  # type: ignore[arg-type]
        assert claim_of(seen[0]) == Claim(proxied, authorization="x")


def test_the_sender_is_known_before_its_body_comes(registry: Registry, pem: str) -> None:
    headers = {"X_CLIENT_VERIFY": "SUCCESS", "X_CLIENT_CERT": quote(pem)}
    assert knows(registry, proxied=True)(headers)
    assert not knows(registry, proxied=False)(headers)
    assert knows(registry, proxied=False)({"AUTHORIZATION": f"Bearer {TOKEN}"})
    assert not knows(registry, proxied=True)({})
