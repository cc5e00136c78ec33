"""Labels: the same for the same rows of the same place, another for anything else, and always of a form Doris takes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.central.doris_labels import label_of
from appliance.central.targets import Batch, Kind

BATCH = Batch("dicom_image_queue", 3, 17, 42, Kind.IMAGE, (), "dicom_image_meta")


def test_a_label_says_where_its_rows_come_from() -> None:
    label = label_of("north", BATCH, b"{}\n")
    assert re.fullmatch(r"north-dicom_image_meta-dicom_image_queue-3-17-42-[0-9a-f]{12}", label)
    assert label == label_of("north", replace(BATCH), b"{}\n")


@pytest.mark.parametrize(
    "other",
    [
        label_of("south", BATCH, b"{}\n"),
        label_of("north", BATCH, b"[]\n"),
        label_of("north", replace(BATCH, partition=4), b"{}\n"),
        label_of("north", replace(BATCH, first_offset=18), b"{}\n"),
        label_of("north", replace(BATCH, last_offset=43), b"{}\n"),
        label_of("north", replace(BATCH, table="dicom_object_meta"), b"{}\n"),
        label_of("north", replace(BATCH, topic="dicom.image.queue"), b"{}\n"),
        label_of("north", replace(BATCH, again=1_700_000_000_000_000), b"{}\n"),
    ],
)
def test_anything_else_has_another_label(other: str) -> None:
    assert other != label_of("north", BATCH, b"{}\n")


@given(st.text(max_size=40), st.text(max_size=249), st.integers(0, 2**31), st.integers(0, 2**63 - 1), st.binary())
def test_a_label_has_a_form_that_doris_takes(
    cluster: str, topic: str, partition: int, offset: int, body: bytes
) -> None:
    batch = replace(BATCH, topic=topic, partition=partition, first_offset=offset, last_offset=offset)
    assert re.fullmatch(r"[-_A-Za-z0-9:]{1,128}", label_of(cluster, batch, body))


def test_names_that_differ_only_where_they_are_cut_or_replaced_stay_apart() -> None:
    long = "t" * 200
    pairs = [(f"{long}a", f"{long}b"), ("a.b", "a_b")]
    for one, two in pairs:
        assert label_of("c", replace(BATCH, topic=one), b"") != label_of("c", replace(BATCH, topic=two), b"")
