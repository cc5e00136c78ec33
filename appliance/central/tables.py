"""Kinds of records: the fields each has, and the table its rows belong in, by whichever database holds it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from appliance.central.targets import Kind
from appliance.model.cloud_fields import (
    ACCESS_FIELDS,
    IMAGE_FIELDS,
    STATE_FIELDS,
    STORE_FIELDS,
    TRANSCODE_FIELDS,
    Field,
)

# In the order they are written; each has a column of its name.
FIELDS: Final[Mapping[Kind, tuple[Field, ...]]] = MappingProxyType({
    Kind.STATE: STATE_FIELDS,
    Kind.IMAGE: IMAGE_FIELDS,
    Kind.LOG: STORE_FIELDS,
    Kind.STORAGE: STORE_FIELDS,
    Kind.ACCESS: ACCESS_FIELDS,
    Kind.TRANSCODE: TRANSCODE_FIELDS,
})  # fmt: skip

TABLES: Final[Mapping[Kind, str]] = MappingProxyType({
    Kind.STATE: "dicom_state_meta",
    Kind.IMAGE: "dicom_image_meta",
    Kind.LOG: "dicom_object_meta",
    Kind.STORAGE: "dicom_object_meta",
    Kind.ACCESS: "dicom_access_log",
    Kind.TRANSCODE: "dicom_transcode_log",
})  # fmt: skip
