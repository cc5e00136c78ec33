"""Metadata documents of stored instances, with addresses on whatever host will be named."""

from __future__ import annotations

from appliance.archive.reading import StoredInstance
from appliance.archive.room import Archive
from appliance.archive.search import Found
from appliance.dicomweb.dicom_json import Member, row_document
from appliance.dicomweb.metadata import Document, Place, Unreadable, read_metadata
from appliance.errors import ArchiveError
from appliance.logs import get_logger
from appliance.model.attributes import ATTRIBUTES, Level
from appliance.model.matching import Match, Query
from appliance.web.streams import encoded_in, open_stored

SOP_INSTANCE_UID = next(attribute for attribute in ATTRIBUTES if attribute.keyword == "SOPInstanceUID")


def instance_path(instance: StoredInstance) -> str:
    """Return an instance's path below the DICOMweb root."""
    return f"/studies/{instance.study_uid}/series/{instance.series_uid}/instances/{instance.sop_uid}"


def read_instance(instance: StoredInstance, root: str) -> tuple[Document, dict[str, Place]]:
    """Return the document of an instance and where its bulk values stand.

    `root` is the DICOMweb root in the BulkDataURIs. Raises Unreadable, ArchiveError.
    """
    base = f"{root}{instance_path(instance)}/bulkdata/"
    with open_stored(instance) as file:
        return read_metadata(encoded_in(instance, file), lambda path: base + path)


def document_of(archive: Archive, instance: StoredInstance, root: str) -> tuple[Document, bool]:
    """Return the document of an instance, and whether it is whole.

    What cannot be read is answered from the index: it is not whole then.
    """
    try:
        return read_instance(instance, root)[0], True
    except (Unreadable, ArchiveError, OSError) as error:
        reason = str(error) if isinstance(error, Unreadable) else type(error).__name__
        get_logger(__name__).warning("metadata unreadable", sop_uid=instance.sop_uid, reason=reason)
        return _indexed(archive, instance), False


def _indexed(archive: Archive, instance: StoredInstance) -> dict[str, Member]:
    query = Query(Level.INSTANCE, (Match(SOP_INSTANCE_UID, "uids", (instance.sop_uid,)),), limit=1)
    row: Found = next(iter(archive.search.find(query)), {})
    return row_document(ATTRIBUTES, row)
