"""Admission: a record counts by its signature, its site's tenant and its fields, each refused for its own reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.central.admission import Admission, Admitted, Cause, Rejection
from appliance.central.record import Record
from appliance.central.registry import Registry
from appliance.central.targets import Kind
from tests.builders.cloud import DIGEST, PATIENT, SYNTAX, SiteKey, encoded, record

ONE, OTHER, GONE = SiteKey("clinic-1"), SiteKey("clinic-2", tenant="t2"), SiteKey("clinic-3")
RECEIVER = SiteKey("hub", tenant="hub")
MAX_BYTES = 1 << 20
FOREIGN = "the signature is not the site's"
UNKNOWN = "the site is not registered, or disabled"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    ONE.register(tmp_path)
    OTHER.register(tmp_path)
    GONE.register(tmp_path, enabled=False)
    RECEIVER.register(tmp_path, role="receiver")
    return Registry(tmp_path)


def _message(value: bytes | None, headers: list[tuple[str, bytes]]) -> Record:
    return Record("topic", 0, 5, b"key", value, tuple(headers))


def _signed(site: SiteKey, value: Any = None, **headers: Any) -> Record:
    data = value if isinstance(value, bytes) else encoded(value if value is not None else record("state"))
    return _message(data, site.headers(data, **headers))


def _admit(registry: Registry, message: Record, kind: Kind = Kind.STATE, *, signed: bool = True) -> Any:
    return Admission(registry, signed=signed, max_bytes=MAX_BYTES).admit(message, kind)


def test_a_record_of_its_site_for_its_tenant_is_believed(registry: Registry) -> None:
    found = _admit(registry, _signed(ONE))
    assert isinstance(found, Admitted)
    assert (found.site, found.row["patient_name"]) == ("clinic-1", PATIENT)


def test_an_image_says_within_what_is_signed_which_object_it_was_made_from(registry: Registry) -> None:
    found = _admit(registry, _signed(ONE, record("image")), Kind.IMAGE)
    assert (found.row["digest"], found.row["transfer_syntax_uid"]) == (DIGEST, SYNTAX)


def test_a_name_without_a_signature_proves_nothing(registry: Registry) -> None:
    named = [("ce_source", b"urn:dicom-edge:site:clinic-1")]
    found = _admit(registry, _message(encoded(record("state")), named), signed=False)
    assert (type(found), found.site) == (Admitted, "")


def test_a_receiver_speaks_for_every_tenant(registry: Registry) -> None:
    assert isinstance(_admit(registry, _signed(RECEIVER, record("storage", tenant_id="t9")), Kind.STORAGE), Admitted)


def _forged() -> Record:
    value = encoded(record("state"))
    return _message(encoded(record("state", patient_name="other")), ONE.headers(value))


def _twice() -> Record:
    value = encoded(record("state"))
    return _message(value, [*ONE.headers(value), *ONE.headers(value)])


REFUSED: dict[str, tuple[Callable[[], Record], Cause, str]] = {
    "forged": (_forged, Cause.SIGNATURE, FOREIGN),
    "another site's key": (lambda: _signed(OTHER, source="clinic-1"), Cause.SIGNATURE, FOREIGN),
    "nonsense as a signature": (
        lambda: _message(encoded(record("state")), [("ce_source", b"urn:dicom-edge:site:clinic-1"),
                                                    ("edge_signature", b"\xff!")]),
        Cause.SIGNATURE, FOREIGN),
    "another tenant": (lambda: _signed(OTHER), Cause.TENANT, "the site does not speak for this tenant"),
    "an unknown site": (lambda: _signed(SiteKey("clinic-9")), Cause.SITE, UNKNOWN),
    "a path as a site": (lambda: _signed(ONE, source="../clinic-1"), Cause.SITE, UNKNOWN),
    "a disabled site": (lambda: _signed(GONE), Cause.SITE, UNKNOWN),
    "no headers": (lambda: _message(encoded(record("state")), []), Cause.SIGNATURE, "the record is not signed"),
    "two signatures": (_twice, Cause.SIGNATURE, "the record carries the header ce_source twice"),
    "a tombstone": (lambda: _message(None, []), Cause.JSON, "the record has no value"),
    "2 MB": (lambda: _signed(ONE, b"x" * (2 << 20)), Cause.SIZE, f"the value is larger than {MAX_BYTES} bytes"),
    "not JSON": (lambda: _signed(ONE, b"{nonsense"), Cause.JSON, "the value is not JSON"),
    "no object": (lambda: _signed(ONE, b"[]"), Cause.JSON, "the value is not a JSON object"),
    "a long field": (lambda: _signed(ONE, record("state", patient_name="x" * 65)), Cause.FIELD,
                     "patient_name is longer than 64 bytes"),
    "a NUL": (lambda: _signed(ONE, record("state", patient_name="a\0b")), Cause.FIELD, "patient_name holds a NUL"),
    "a float as text": (lambda: _signed(ONE, record("state", patient_size="1.5")), Cause.FIELD,
                        "patient_size has the wrong type"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_not_to_be_believed_is_refused_with_its_reason(registry: Registry, name: str) -> None:
    make, cause, reason = REFUSED[name]
    assert _admit(registry, make()) == Rejection(cause, reason)


def test_records_without_a_signature_count_only_where_that_is_allowed(registry: Registry) -> None:
    found = _admit(registry, _message(encoded(record("state")), []), signed=False)
    assert isinstance(found, Admitted)
    assert found.site == ""
    named = [("ce_source", b"urn:dicom-edge:site:clinic-2")]
    assert _admit(registry, _message(encoded(record("state")), named), signed=False).cause is Cause.TENANT


def test_a_signature_that_is_there_counts_even_where_none_is_needed(registry: Registry) -> None:
    assert _admit(registry, _forged(), signed=False).cause is Cause.SIGNATURE


def test_a_site_without_a_key_cannot_sign(tmp_path: Path) -> None:
    ONE.register(tmp_path, signature_keys=[])
    assert _admit(Registry(tmp_path), _signed(ONE)).reason == "the site has no key to check its signature by"


def test_while_keys_are_exchanged_either_counts(tmp_path: Path) -> None:
    new = SiteKey("clinic-1")
    new.register(tmp_path)
    keys = Registry(tmp_path).find("clinic-1")
    assert keys is not None
    ONE.register(tmp_path)
    old = Registry(tmp_path).find("clinic-1")
    assert old is not None
    ONE.register(tmp_path, signature_keys=[*old.signature_keys, *keys.signature_keys])
    for site in (ONE, new):
        assert isinstance(_admit(Registry(tmp_path), _signed(site)), Admitted)


def test_a_site_that_is_disabled_is_refused_at_once(registry: Registry, tmp_path: Path) -> None:
    admission = Admission(registry, signed=True, max_bytes=MAX_BYTES)
    assert isinstance(admission.admit(_signed(ONE), Kind.STATE), Admitted)
    ONE.register(tmp_path, enabled=False)
    refused = admission.admit(_signed(ONE), Kind.STATE)
    assert isinstance(refused, Rejection)
    assert refused.cause is Cause.SITE
