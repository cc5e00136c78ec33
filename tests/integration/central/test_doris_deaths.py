"""The cluster dies and comes back at any step of a load; in the end every row is there once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.central.doris import DorisTarget
from appliance.central.doris_load import DorisOptions
from appliance.central.targets import Batch, Kind, RowFault, Unavailable
from tests.integration.central.doris_batches import PASSWORD, batch, ddl, image, row
from tests.partners.doris.server import DorisServer
from tests.waiting import wait_until

TABLE = "dicom_image_meta"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DorisServer]:
    """A process with our tables."""
    with DorisServer(tmp_path_factory.mktemp("doris"), ddl()) as server:
        yield server


@pytest.fixture
def server(running: DorisServer) -> DorisServer:
    """The process, serving and empty."""
    if not running.program.running:
        running.start().wait_ready()
    running.wipe()
    return running


def reach(server: DorisServer, folder: Path) -> DorisTarget:
    """A target for the process."""
    (folder / "password").write_text(PASSWORD)
    return DorisTarget(
        DorisOptions(
            server.url, "edge", "loader", folder / "password", label_wait=0.5, connect_timeout=1.0, load_timeout=2.0
        )
    )


def insist(loader: DorisTarget, wanted: Batch, between: Callable[[], object] = lambda: None) -> dict[int, RowFault]:
    """Load a batch as a loader does: again and again while the cluster is unavailable."""

    def attempt() -> list[dict[int, RowFault]] | None:
        try:
            return [dict(loader.load(wanted))]
        except Unavailable:
            between()
            return None

    return wait_until(attempt, 30)[0]


@pytest.mark.parametrize("kind", ["slow", "lost_answer", "running", "silent"])
def test_a_kill_in_the_middle_of_a_load_loses_and_doubles_nothing(
    server: DorisServer, tmp_path: Path, kind: str
) -> None:
    loader = reach(server, tmp_path)
    server.order(kind, seconds=1.0)
    killer = threading.Timer(0.3, server.kill)
    killer.start()
    rows = [image(number) for number in range(50)]

    def revive() -> None:
        killer.join()
        if not server.program.running:
            server.start().wait_ready()

    assert insist(loader, batch(rows), revive) == {}
    revive()
    assert insist(loader, batch(rows), revive) == {}
    assert len(server.rows(TABLE)) == 50
    loader.close()


def test_trouble_of_every_kind_at_random_ends_with_the_rows_that_were_sent(server: DorisServer, tmp_path: Path) -> None:
    chance = random.Random(11)
    loader = reach(server, tmp_path)
    kinds = ["fe_reset", "no_backends", "be_reset_early", "be_reset_body", "lost_answer", "publish_timeout", "running"]
    bad = set(chance.sample(range(300), 9))
    rows = [image(number, **({"columns": 2**31} if number in bad else {})) for number in range(300)]
    found: set[int] = set()
    at = 0
    while at < len(rows):
        end = at + chance.randrange(1, 60)
        for _ in range(chance.randrange(3)):
            server.order(chance.choice(kinds))
        if chance.random() < 0.3:
            server.kill()
            server.start().wait_ready()
        faults = insist(loader, batch(rows[at:end], first=at), server.release)
        found |= {at + number for number in faults}
        # A crash before the offsets are committed: some come again, in another batch.
        at = max(at + 1, min(end, len(rows)) - chance.choice([0, 0, 7]))
    server.heal()
    assert found == bad
    assert sorted(str(kept["sop_uid"]) for kept in server.rows(TABLE)) == sorted(
        f"1.2.{number}" for number in range(300) if number not in bad
    )
    loader.close()


def test_a_frozen_cluster_is_unavailable_and_then_served(server: DorisServer, tmp_path: Path) -> None:
    loader = reach(server, tmp_path)
    wanted = batch([row(Kind.LOG)], Kind.LOG)
    server.pause()
    with pytest.raises(Unavailable):
        loader.load(wanted)
    server.resume()
    assert insist(loader, wanted) == {} and len(server.rows("dicom_object_meta")) == 1
    loader.close()
