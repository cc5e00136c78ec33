"""Records as boxes and receivers publish them, with the sites and keys of their signatures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from appliance.model.cloud_fields import (
    ACCESS_FIELDS,
    IMAGE_FIELDS,
    STATE_FIELDS,
    STORE_FIELDS,
    TRANSCODE_FIELDS,
    Field,
    Kind,
)
from appliance.signatures import Signer

FIELDS = {
    "state": STATE_FIELDS,
    "image": IMAGE_FIELDS,
    "log": STORE_FIELDS,
    "storage": STORE_FIELDS,
    "access": ACCESS_FIELDS,
    "transcode": TRANSCODE_FIELDS,
}
PATIENT = "QUAGGA^ZEBRA"
DIGEST = "ab" * 32
SYNTAX = "1.2.840.10008.1.2.1"

_WORDS = {"transfer_status": "NoNeedTransfer", "digest": DIGEST, "transfer_syntax_uid": SYNTAX}

_SAMPLES: Mapping[Kind, Any] = {
    Kind.IDENTIFIER: "1.2.3",
    Kind.TEXT: "text",
    Kind.DATE: "2024-01-31",
    Kind.COMPACT_DATE: "20240131",
    Kind.TIME: "10:11:12.5",
    Kind.MOMENT: "2024-01-31T10:11:12.000005",
    Kind.I32: 1,
    Kind.I64: 1,
    Kind.F64: 1.5,
    Kind.U16: 200,
    Kind.U64: 5,
}


def sample(found: Field) -> Any:
    """A value that the field takes."""
    if found.name in _WORDS:
        return _WORDS[found.name]
    value = _SAMPLES[found.kind]
    return value[: found.limit] if isinstance(value, str) and found.limit else value


def record(kind: str, **values: Any) -> dict[str, Any]:
    """A whole record of a kind; `values` stand in the place of samples."""
    found = {item.name: sample(item) for item in FIELDS[kind]}
    if "patient_name" in found:
        found["patient_name"] = PATIENT
    return {**found, "tenant_id": "t1", **values}


def encoded(value: Any) -> bytes:
    """A value as it stands in a message."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass
class SiteKey:
    """A site with a key of its own."""

    name: str
    tenant: str = "t1"
    key: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)

    def register(self, directory: Path, **values: Any) -> None:
        """Write its file into a registry."""
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        document = {"site": self.name, "tenant": self.tenant, "signature_keys": [public.decode()], **values}
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.name}.json").write_text(json.dumps(document))

    def headers(self, value: bytes, *, source: str | None = None, **more: str) -> list[tuple[str, bytes]]:
        """The headers of a message of this site; `source` pretends to be another one."""
        return [
            ("ce_source", f"urn:dicom-edge:site:{source or self.name}".encode()),
            *((name, text.encode()) for name, text in more.items()),
            ("edge_signature", Signer(self.key.sign).header(value)),
        ]
