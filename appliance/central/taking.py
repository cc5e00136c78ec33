"""Taking: an object into the tenant's part of the archive, and the receipt that tells its site so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import request
from prometheus_client import CollectorRegistry, Counter

from appliance.archive.group2 import ByteStream
from appliance.archive.ingest import Check
from appliance.archive.room import Archive
from appliance.central.addresses import instance_url
from appliance.central.registry import Site
from appliance.dicomweb.storing import Storing, trace_of
from appliance.failpoints import failpoint
from appliance.model.records import ConflictPolicy, Door, Header, Origin, Result, Stored

STORED = "dicom_edge_central_stored"


class Taking:
    """Takes objects of sites and confirms them."""

    def __init__(self, archive: Archive, registry: CollectorRegistry) -> None:
        """Take the archive, and where what is stored is counted."""
        self._archive = archive
        self._stored = Counter(STORED, "Objects that sites were told are durable.", ["result"], registry=registry)
        for result in Result:
            self._stored.labels(result.value)

    def storing(self, site: Site, study_uid: str = "") -> Storing:
        """Return a store request of a site, into its own tenant's part of the archive."""
        ingest = self._archive.of(site.tenant).ingest
        return Storing(ingest, _origin(site), instance_url, _everything, study_uid)

    def receive(self, site: Site, stream: ByteStream, check: Check) -> Stored:
        """Store one DICOM file and confirm it; both are durable on return. Raises as Ingest.receive_file does."""
        stored = self._archive.of(site.tenant).ingest.receive_file(stream, _origin(site), check=check)
        self.confirm(site, [stored])
        return stored

    def confirm(self, site: Site, stored: Sequence[Stored]) -> None:
        """Write the receipts of what is durable, known or new; they are durable on return, before any answer.

        A crash before leaves objects without a receipt, whose sender has no answer either: it sends them
        again and gets both. Raises DiskFull, ArchiveFailed.
        """
        failpoint("receiver.before_receipt")
        self._archive.receipts.confirm(site.name, site.tenant, stored)
        failpoint("receiver.after_receipt")
        for one in stored:
            self._stored.labels(one.result.value).inc()

    def holds(self, site: Site, labels: Mapping[str, str]) -> bool:
        """Say whether the bytes of these UIDs with this digest are here for a site."""
        uids = (labels.get(name, "") for name in ("study_uid", "series_uid", "sop_uid"))
        found = self._archive.of(site.tenant).reading.instances(*uids)
        return any(one.held and one.digest == labels.get("digest") for one in found)


def _origin(site: Site) -> Origin:
    """Name the sender. What a box sends is what it holds to be current: the newest content counts here, too."""
    return Origin(
        Door.STOW,
        site.name,
        address=request.remote_addr or "",
        conflict_policy=ConflictPolicy.NEWEST,
        traceparent=trace_of(request.headers.get("traceparent", "")),
    )


def _everything(header: Header) -> None:
    """Let everything be stored: the box has decided."""
