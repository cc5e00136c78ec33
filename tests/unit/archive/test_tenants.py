"""Many tenants in one home: the same UIDs never meet, whatever is asked under the other tenant."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from appliance.archive.accesses import Access
from appliance.archive.fsck import check
from appliance.archive.room import Archive
from appliance.errors import ArchiveFailed, ConfigurationError, Unparseable
from appliance.model.attributes import Level
from appliance.model.matching import Query
from appliance.model.records import Result, Stored
from appliance.model.routes import ACCESS, EVENT_KINDS, Route
from tests.archives import new_archive, sender
from tests.builders.instances import ct, part10

BOTH = ("north", "south")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """A receiver's home; its own tenant is nobody's."""
    sinks = (Route("outbound", kinds=(*EVENT_KINDS, ACCESS)),)
    found = new_archive(tmp_path / "home", tenant="central", site="centre-1", sinks=sinks)
    yield found
    found.close()


def keep(archive: Archive, tenant: str, file: bytes) -> Stored:
    return archive.of(tenant).ingest.receive_file(BytesIO(file), sender(f"box-{tenant}"))


def test_the_same_object_of_two_tenants_is_two_objects(archive: Archive) -> None:
    file = part10(ct())
    first, second = (keep(archive, tenant, file) for tenant in BOTH)
    assert first.result is second.result is Result.STORED
    places = {archive.of(tenant).reading.instances(first.study_uid)[0].path for tenant in BOTH}
    assert {path.relative_to(archive.settings.root).parts[0] for path in places} == set(BOTH)
    assert keep(archive, "north", file).result is Result.DUPLICATE


def test_other_bytes_under_a_uid_of_another_tenant_are_no_conflict(archive: Archive) -> None:
    dataset = ct(PatientName="North^One")
    keep(archive, "north", part10(dataset))
    dataset.PatientName = "South^Two"
    assert keep(archive, "south", part10(dataset)).result is Result.STORED
    assert all(archive.of(tenant).conflicts.list() == [] for tenant in BOTH)
    names = {row["PatientName"] for row in archive.of("north").search.find(Query(Level.STUDY, (), None, None, 10, 0))}
    assert names == {"North^One"}


def test_a_person_at_the_home_looks_at_one_tenant(archive: Archive) -> None:
    kept = keep(archive, "north", part10(ct()))
    with pytest.raises(Unparseable):
        keep(archive, "west", part10(ct())[:-300])
    for tenant, found, sick in (("north", 1, 0), ("west", 0, 1), ("", 0, 0)):
        seen = Archive.open(archive.settings, "cli", tenant=tenant)
        try:
            assert len(seen.reading.instances(kept.study_uid)) == found
            assert bool(seen.outbox.list()) == bool(found) and len(seen.quarantine.list()) == sick
            assert {"central", "north", "west"} <= set(seen.tenants())
        finally:
            seen.close()
    with pytest.raises(ConfigurationError, match="nothing is kept of the tenant noth"):
        Archive.open(archive.settings, "cli", tenant="noth")


def test_a_tenant_sees_nothing_of_another(archive: Archive) -> None:
    stored = keep(archive, "north", part10(ct()))
    for stranger in (archive.of("south"), archive):
        assert stranger.reading.instances(stored.study_uid) == []
        assert stranger.custody.of(stored.study_uid) == []
        assert stranger.numbers.counts().instances == 0
    assert archive.of("north").numbers.counts().instances == 1


def test_the_records_of_each_object_carry_its_own_tenant(archive: Archive) -> None:
    file = part10(ct())
    for tenant in BOTH:
        keep(archive, tenant, file)
    lease = archive.outbox.claim("outbound", rows=50, bytes_=1 << 30, lease_seconds=60)
    assert lease is not None
    found = {(one.kind, one.tenant, one.message_key) for one in lease.deliveries}
    assert len(found) == 6 and {tenant for _, tenant, _ in found} == set(BOTH)
    assert all(f'"{one.tenant}"' in one.payload for one in lease.deliveries)
    assert all('"centre-1"' in one.payload for one in lease.deliveries if one.kind == "object")


def test_accesses_are_told_under_the_tenant_they_concern(archive: Archive) -> None:
    line = Access(1, "6f1e8f0a-0000-4000-8000-000000000001", "GET", "/x", "192.0.2.1:1", {}, "box", "site:box", 200,
                  "1", 1, tenant="south")  # fmt: skip
    archive.accesses.append([line])
    lease = archive.outbox.claim("outbound", rows=50, bytes_=1 << 30, lease_seconds=60)
    assert lease is not None
    assert [(one.kind, one.tenant) for one in lease.deliveries] == [("access", "south")]
    assert '"tenant_id":"south"' in lease.deliveries[0].payload.replace(" ", "")


def test_quarantine_is_the_tenants_own(archive: Archive) -> None:
    file = part10(ct())
    with pytest.raises(Unparseable):
        keep(archive, "north", file[:-7])
    assert len(archive.of("north").quarantine.list()) == 1
    assert archive.of("south").quarantine.list() == archive.quarantine.list() == []


def test_a_view_is_made_once(archive: Archive) -> None:
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(archive.of("north"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert archive.of("central") is archive


def test_a_disk_that_failed_one_tenant_confirms_nothing_to_another(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lying(descriptor: int) -> None:
        raise ArchiveFailed("fsync failed")

    with monkeypatch.context() as patched:
        patched.setattr("appliance.archive.ingest._fsync", lying)
        with pytest.raises(ArchiveFailed):
            keep(archive, "north", part10(ct()))
    with pytest.raises(ArchiveFailed):
        keep(archive, "south", part10(ct()))


def test_fsck_looks_at_every_tenant(archive: Archive) -> None:
    kept = {tenant: keep(archive, tenant, part10(ct())) for tenant in BOTH}
    assert archive.tenants() == ["central", *BOTH]
    assert check(archive).clean and check(archive).versions == 2
    lost = archive.of("south").reading.instances(kept["south"].study_uid)[0]
    lost.path.unlink()
    assert [(one.kind, one.subject) for one in check(archive).findings] == [
        ("missing", str(lost.path.relative_to(archive.settings.root)))
    ]
    check(archive, repair=True)
    assert not archive.of("south").reading.instances(kept["south"].study_uid)[0].held
    assert archive.of("north").reading.instances(kept["north"].study_uid)[0].held
