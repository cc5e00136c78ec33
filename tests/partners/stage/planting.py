"""Records that nobody should believe, put straight into the topics."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from appliance.kafka_connection.topics import TOPIC_NAMES
from tests.builders.cloud import SiteKey, encoded, record
from tests.partners.stage.box import StageBox
from tests.partners.stage.topics import Headers, Planted

SIGNATURE, SITE, TENANT, JSON, FIELD = "signature", "site", "tenant", "json", "field"
KINDS = ("state", "image", "log", "storage", "transcode", "access")

_numbers = itertools.count(1)


def key_of(box: StageBox) -> SiteKey:
    """The signing key of a box, in other hands."""
    key = load_pem_private_key(box.who.signing.key.read_bytes(), password=None)
    return SiteKey(box.who.site, box.who.tenant, key)  # type: ignore[arg-type]


def planted(box: StageBox, foreign_tenant: str) -> list[Planted]:
    """Bad records of many kinds; each value is unlike all others. They pretend to be of `box`, or are by its key."""
    own = key_of(box)
    found = [*_strangers(own), *_signed(own, foreign_tenant)]
    return [Planted(TOPIC_NAMES[kind], value, headers, cause) for kind, value, headers, cause in found]


def _row(kind: str, tenant: str, **values: Any) -> dict[str, Any]:
    """A record like no other."""
    number = next(_numbers)
    name = {"access": "path", "transcode": "fault"}.get(kind, "sop_uid" if kind != "state" else "series_uid")
    return record(kind, **{"tenant_id": tenant, name: f"2.99.{number}", **values})


def _strangers(own: SiteKey) -> Iterator[tuple[str, bytes, Headers, str]]:
    stranger, unknown = SiteKey(own.name, own.tenant), SiteKey("clinic-99", own.tenant)
    for kind in KINDS:
        value = encoded(_row(kind, own.tenant))
        yield kind, value, stranger.headers(value), SIGNATURE
    value = encoded(_row("image", own.tenant))
    yield "image", value, own.headers(value)[:1], SIGNATURE
    value = encoded(_row("state", own.tenant))
    yield "state", value, own.headers(value)[1:], SITE
    value = encoded(_row("state", own.tenant))
    yield "state", value, unknown.headers(value), SITE
    value, other = encoded(_row("state", own.tenant)), encoded(_row("state", own.tenant))
    yield "state", value, own.headers(other), SIGNATURE
    value = encoded(_row("image", own.tenant))
    yield "image", value, [*own.headers(value), own.headers(value)[-1]], SIGNATURE


def _signed(own: SiteKey, foreign: str) -> Iterator[tuple[str, bytes, Headers, str]]:
    for kind in KINDS:
        value = encoded(_row(kind, foreign))
        yield kind, value, own.headers(value), TENANT
    rows: tuple[tuple[str, Any, str], ...] = (
        ("state", _row("state", own.tenant, patient_name="x" * 300), FIELD),
        ("image", _row("image", own.tenant, image_type="\u0000"), FIELD),
        ("state", _row("state", own.tenant, series_number="seven"), FIELD),
        ("state", _row("state", own.tenant, revision=1.5), FIELD),
        ("image", _row("image", own.tenant, content_date="2024-02-31"), FIELD),
        ("image", _row("image", own.tenant, sop_class_uid=None), FIELD),
        ("log", _row("log", own.tenant, file_size=2**70), FIELD),
        ("storage", {"tenant_id": own.tenant, "n": next(_numbers)}, FIELD),
        ("state", [next(_numbers)], JSON),
        ("state", next(_numbers), JSON),
    )
    for kind, row, cause in rows:
        value = encoded(row)
        yield kind, value, own.headers(value), cause
    for text in (b'{"tenant_id": ', b"\xff\xfe%d" % next(_numbers), b"", b'{"a":NaN,"n":%d}' % next(_numbers)):
        yield "state", text, own.headers(text), JSON
