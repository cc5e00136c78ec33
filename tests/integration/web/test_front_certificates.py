"""Client certificates through nginx: who has a role by one, and who is nobody all the same."""

from __future__ import annotations

import pytest

from tests.builders.certificates import Authority, Pair
from tests.builders.instances import ct, part10
from tests.integration.web.client import WebClient, stow_body
from tests.integration.web.front import MODALITY, Front
from tests.integration.web.test_login import PASSWORD, enter


def test_a_modality_stores_and_searches_without_a_token(front: Front) -> None:
    image = ct()
    with front.client(front.modality) as modality:
        assert modality.stow(stow_body(part10(image))).status_code == 200
        assert modality.search("/studies", StudyInstanceUID=str(image.StudyInstanceUID))
        for path in ("/metrics", f"/studies/{image.StudyInstanceUID}/export", "/account"):
            assert modality.get(path).status_code == 403, path
        other_page = modality.stow(stow_body(part10(image)), Origin="https://evil.example")
        assert other_page.status_code == 403


def test_its_large_objects_come_in_too(front: Front) -> None:
    image = ct(PixelData=bytes(2_000_000), Rows=1000, Columns=1000)
    with front.client(front.modality) as modality:
        assert modality.stow(stow_body(part10(image))).status_code == 200


def test_a_good_certificate_that_nobody_named_is_nobody(front: Front) -> None:
    with front.client(front.authority.issue("ct2.clinic.example")) as stranger:
        assert stranger.get("/dicom-web/studies").status_code == 401
        assert stranger.stow(b"x").status_code == 401
        assert enter(stranger, "ann", PASSWORD).status_code == 303
        assert stranger.get("/dicom-web/studies").status_code in (200, 204)


@pytest.mark.parametrize("path", ["/dicom-web/studies", "/", "/healthz"])
def test_one_that_was_revoked_or_that_another_authority_signed_is_refused(front: Front, path: str) -> None:
    folder = front.box.home.parent / "other"
    folder.mkdir(exist_ok=True)
    for pair in (front.revoked, Authority(folder, "Another").issue(MODALITY)):
        with front.client(pair) as stranger:
            assert stranger.get(path).status_code == 400


def test_a_token_goes_before_a_certificate(front: Front) -> None:
    with front.client(front.modality) as modality:
        assert modality.get("/metrics", **front.tokens["monitor"]).status_code == 200
        assert modality.get("/dicom-web/studies", Authorization="Bearer x").status_code == 401


def test_a_certificate_is_no_token(front: Front) -> None:
    """It is no secret: whoever has seen it must not come in with it, not even right after its owner."""
    shown = front.modality.certificate.read_text().replace("\n", "%0A").replace(" ", "%20").replace("+", "%2B")
    escaped = shown.replace("/", "%2F").replace("=", "%3D")
    with front.client(front.modality) as modality, front.client() as thief:
        assert modality.get("/dicom-web/studies").status_code in (200, 204)
        for text in (shown, escaped):
            assert thief.get("/dicom-web/studies", Authorization=f"Bearer {text}").status_code == 401
            with WebClient(front.box.url) as near:
                assert near.get("/dicom-web/studies", X_Client_Verify="SUCCESS", X_Client_Cert=text).status_code == 403


def test_the_key_is_needed_not_only_the_certificate(front: Front) -> None:
    mixed = Pair(front.modality.certificate, front.revoked.key)
    with front.client(mixed) as thief, pytest.raises(OSError):
        thief.get("/dicom-web/studies")
