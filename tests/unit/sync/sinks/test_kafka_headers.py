"""Headers of a message: CloudEvents, trace and signature."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from appliance.archive.outbox import Delivery
from appliance.errors import ConfigurationError
from appliance.signatures import Signer, load_signer
from appliance.sync.envelope import seal
from appliance.sync.sinks.kafka_headers import headers
from tests.builders.deliveries import Deliveries

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _headers(row: Delivery, signer: Signer | None = None) -> dict[str, str]:
    envelope = seal(row, "a/b.dcm")[0]
    return {name: value.decode() for name, value in headers(envelope, row, "site-7", signer)}


def test_they_are_cloudevents_in_binary_mode(tmp_path: Path) -> None:
    found = _headers(Deliveries(tmp_path).image(traceparent=TRACE, created_at=1_700_000_000_123_456))
    assert uuid.UUID(found.pop("ce_id")).version == 5
    assert found == {
        "ce_specversion": "1.0",
        "ce_type": "dicom-edge.image.v1",
        "ce_source": "urn:dicom-edge:site:site-7",
        "ce_time": "2023-11-14T22:13:20.123456Z",
        "ce_subject": "1.2.826.0.1.3680043.10.1.1/1.2.826.0.1.3680043.10.1.1.1/1.2.826.0.1.3680043.10.1.1.1.1",
        "content-type": "application/json",
        "traceparent": TRACE,
    }


def test_the_id_is_a_messages_own_and_stays_over_repeats(tmp_path: Path) -> None:
    make = Deliveries(tmp_path)
    first, second, stored = make.state(), make.state(), make.object()
    assert _headers(first)["ce_id"] == _headers(replace(first, attempts=3))["ce_id"]
    assert _headers(first)["ce_id"] != _headers(second)["ce_id"]
    two = {dict(headers(envelope, stored, "site-7", None))["ce_id"] for envelope in seal(stored, "p")}
    assert len(two) == 2


@pytest.mark.parametrize("text", ["", "00-x", TRACE + "\r\nx: y", TRACE.upper()])
def test_a_missing_or_bad_trace_is_replaced_by_one_of_the_message(tmp_path: Path, text: str) -> None:
    row = Deliveries(tmp_path).state(traceparent=text)
    found = _headers(row)["traceparent"]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", found)
    assert found == _headers(row)["traceparent"]


def _write(path: Path, key: Any, **options: Any) -> Path:
    wrapping = options.get("encryption", serialization.NoEncryption())
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, wrapping))
    return path


def _check_ed25519(key: Any, signature: bytes, value: bytes) -> None:
    key.public_key().verify(signature, value)


def _check_p256(key: Any, signature: bytes, value: bytes) -> None:
    key.public_key().verify(signature, value, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize(
    ("key", "check"),
    [
        (ed25519.Ed25519PrivateKey.generate(), _check_ed25519),
        (ec.generate_private_key(ec.SECP256R1()), _check_p256),
    ],
)
def test_the_signature_is_over_the_value(tmp_path: Path, key: Any, check: Callable[[Any, bytes, bytes], None]) -> None:
    row = Deliveries(tmp_path).state()
    text = _headers(row, load_signer(_write(tmp_path / "key", key)))["edge_signature"]
    assert "=" not in text
    signature = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    value = seal(row)[0].value
    check(key, signature, value)
    with pytest.raises(InvalidSignature):
        check(key, signature, value + b" ")


def test_a_key_that_cannot_sign_is_named_and_never_shown(tmp_path: Path) -> None:
    sealed = serialization.BestAvailableEncryption(b"x")
    paths = [
        tmp_path / "missing",
        _write(tmp_path / "rsa", rsa.generate_private_key(65537, 2048)),
        _write(tmp_path / "p384", ec.generate_private_key(ec.SECP384R1())),
        _write(tmp_path / "encrypted", ed25519.Ed25519PrivateKey.generate(), encryption=sealed),
        tmp_path / "garbage",
    ]
    paths[-1].write_text("-----BEGIN SECRET-----")
    for path in paths:
        with pytest.raises(ConfigurationError) as met:
            load_signer(path)
        assert str(path) in met.value.message
        assert "SECRET" not in met.value.message
