"""UIDs: what may name an object, the cloud's hash by its golden vectors, trace identities."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.model.uid import derive_trace_id, is_valid_uid, sea_hash, uid_hash

GOLDEN = [
    ("", "14492805990617963705"),
    ("1.2.3", "14152512315557983588"),
    ("1.2.840.10008.5.1.4.1.1.2", "13145432858483028825"),
    ("1.2.3.4.5.6.7.8.9", "04285450645024165787"),
    ("1.2.840.113619.2.405.3.2831171869.418.1754040614.941", "16231242814824793332"),
    ("1.2.840.113619.2.55.3.1", "15027461789662271818"),
    ("1.2.840.113619.2.55.3.1.2", "03244558302627355732"),
]


@pytest.mark.parametrize(("uid", "expected"), GOLDEN)
def test_the_hash_of_a_uid_is_the_clouds(uid: str, expected: str) -> None:
    assert uid_hash(uid) == expected


@given(st.binary(max_size=200))
def test_the_hash_fits_64_bits_and_20_digits(data: bytes) -> None:
    assert 0 <= sea_hash(data) < 2**64
    assert len(f"{sea_hash(data):020d}") == 20


@pytest.mark.parametrize("uid", ["1", "0", "1.2.840.10008.1.2", "1.02.3", "1" * 64, "2.25." + "9" * 59])
def test_usable_uids_are_valid(uid: str) -> None:
    assert is_valid_uid(uid)


@pytest.mark.parametrize("uid", [
    "", ".", "..", "1.", ".1", "1..2", "1" * 65, "1.2.a", "../1", "1/2", "1\\2", "1.2\n", " 1.2", "1.2\0",
    "1.２", "-1", "1.2.%2e%2e",
])  # fmt: skip
def test_anything_that_could_be_a_path_or_is_no_uid_is_refused(uid: str) -> None:
    assert not is_valid_uid(uid)


@given(st.text(max_size=70))
def test_a_valid_uid_is_one_safe_path_component(text: str) -> None:
    if is_valid_uid(text):
        assert set(text) <= set(string.digits + ".")
        assert ".." not in text
        assert 0 < len(text) <= 64


def test_a_trace_identity_depends_on_tenant_instance_and_content_only() -> None:
    one = derive_trace_id("default", "1.2.3", "ab" * 32)
    assert one == derive_trace_id("default", "1.2.3", "ab" * 32)
    assert len(one) == 36
    others = {
        derive_trace_id("other", "1.2.3", "ab" * 32),
        derive_trace_id("default", "1.2.4", "ab" * 32),
        derive_trace_id("default", "1.2.3", "cd" * 32),
    }
    assert len({one, *others}) == 4
