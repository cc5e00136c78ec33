"""Who is told of a state: every sink that takes any instance of the series, whichever instance changes it."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import pytest
from pydicom.dataset import Dataset

from appliance.archive.outbox import Delivery, Outcome, Verdict
from appliance.archive.room import Archive
from appliance.model.routes import Route, Selection
from tests.archives import sender
from tests.builders.instances import part10, series

CT = "1.2.840.10008.5.1.4.1.1.2"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

BY_AE = Route("few", selection=Selection(ae_titles=("B",)))
BY_CLASS = Route("few", selection=Selection(sop_classes=(CAPTURE,)))
FILTERS = pytest.mark.parametrize("route", [BY_AE, BY_CLASS], ids=["ae", "class"])


def mixed(count: int = 4, taken: Sequence[int] = (1,), **overrides: object) -> list[tuple[Dataset, str]]:
    """A series of CT images from A; those at the places in `taken` are secondary captures from B."""
    made = []
    for place, dataset in enumerate(series(count, **overrides)):
        if place in taken:
            dataset.SOPClassUID = CAPTURE
        made.append((dataset, "B" if place in taken else "A"))
    return made


def store(archive: Archive, instances: Sequence[tuple[Dataset, str]]) -> None:
    for dataset, name in instances:
        archive.ingest.receive_file(BytesIO(part10(dataset)), sender(name))


def deliver(archive: Archive, sink: str = "few") -> list[Delivery]:
    """Deliver all that is due."""
    lease = archive.outbox.claim(sink, rows=1000, bytes_=1 << 40, lease_seconds=60)
    if lease is None:
        return []
    archive.outbox.settle(lease, [Outcome(row.event_id, Verdict.DELIVERED) for row in lease.deliveries])
    return list(lease.deliveries)


def revision(archive: Archive) -> int:
    with archive.database.read() as cx:
        return int(cx.execute("SELECT max(revision) FROM series").fetchone()[0])


@FILTERS
def test_a_sink_hears_how_a_series_grows_that_it_has_taken_one_instance_of(archive: Archive, route: Route) -> None:
    archive.outbox.register([route])
    seen = []
    for instance in mixed():
        store(archive, [instance])
        seen.append([(row.kind, row.revision == revision(archive)) for row in deliver(archive)])
    told = ("state", True)
    assert seen == [[], [told, ("image", True), ("object", True)], [told], [told]]


@FILTERS
def test_a_queued_state_is_brought_up_to_date_by_the_others(archive: Archive, route: Route) -> None:
    archive.outbox.register([route])
    store(archive, mixed())
    rows = deliver(archive)
    assert [row.kind for row in rows] == ["state", "image", "object"]
    assert rows[0].revision == revision(archive)


@FILTERS
@pytest.mark.parametrize("taken", [0, 2])
@pytest.mark.parametrize("as_it_grows", [False, True])
def test_a_sink_that_comes_late_is_told_the_newest_state(
    archive: Archive, route: Route, taken: int, as_it_grows: bool
) -> None:
    archive.outbox.register([Route("all")])
    for instance in mixed(3, (taken,)):
        store(archive, [instance])
        if as_it_grows:
            deliver(archive, "all")
    archive.outbox.register([Route("all"), route])
    rows = deliver(archive)
    assert [row.kind for row in rows if row.kind != "state"] == ["image", "object"]
    assert max(row.revision for row in rows if row.kind == "state") == revision(archive)
    store(archive, mixed(1, (), StudyInstanceUID=rows[0].study_uid, SeriesInstanceUID=rows[0].series_uid))
    assert [(row.kind, row.revision) for row in deliver(archive)] == [("state", revision(archive))]


@FILTERS
def test_a_series_without_any_instance_it_takes_is_not_its_matter(archive: Archive, route: Route) -> None:
    archive.outbox.register([Route("all"), route])
    store(archive, mixed(2, ()))
    archive.outbox.register([Route("all")])
    store(archive, mixed(2, ()))
    archive.outbox.register([Route("all"), route])
    assert deliver(archive) == []


def test_a_filter_by_modality_and_kind_holds_for_states_too(archive: Archive) -> None:
    routes = [Route("mr", selection=Selection(modalities=("MR",), ae_titles=("B",))), Route("few", kinds=("object",))]
    archive.outbox.register(routes)
    store(archive, mixed(3, (0,), Modality="CT"))
    assert deliver(archive, "mr") == []
    assert {row.kind for row in deliver(archive)} == {"object"}


@FILTERS
def test_what_arrives_while_a_queue_is_being_filled_is_told_too(archive: Archive, route: Route) -> None:
    archive.outbox.register([Route("all")])
    first, second = mixed(2, (0,))
    store(archive, [first])
    deliver(archive, "all")
    assert not archive.outbox.register([Route("all"), route], lambda _: True)
    store(archive, [second])
    assert archive.outbox.register([Route("all"), route])
    assert max(row.revision for row in deliver(archive) if row.kind == "state") == revision(archive)


@FILTERS
def test_a_narrowed_filter_ends_it(archive: Archive, route: Route) -> None:
    archive.outbox.register([Route("few")])
    first, second = mixed(2, ())
    store(archive, [first])
    assert len(deliver(archive)) == 3
    archive.outbox.register([route])
    store(archive, [second])
    assert deliver(archive) == []


@FILTERS
def test_a_wider_filter_sends_no_state_older_than_the_one_that_was_sent(archive: Archive, route: Route) -> None:
    """Sent late, it would replace the newer one at the destination."""
    archive.outbox.register([Route("all"), route])
    for instance in mixed(3, (2,)):
        store(archive, [instance])
        deliver(archive, "all")  # or the state would be brought up to date instead of followed by another
    assert [row.kind for row in deliver(archive)] == ["state", "image", "object"]
    archive.outbox.register([Route("all"), Route("few")])
    assert sorted(row.kind for row in deliver(archive)) == ["image"] * 2 + ["object"] * 2
