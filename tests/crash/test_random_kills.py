"""Invariant 4: thirty random kills while four associations store five hundred instances."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from appliance.archive import fsck
from tests.archives import new_archive
from tests.crash.storing import SUCCESS, Ledger, Slice, assert_kept, opened, send, slices
from tests.partners.appliance import Appliance

INSTANCES = 500
ASSOCIATIONS = 4
KILLS = 30


class Modality(threading.Thread):
    """Sends its slices in order and starts again, after every lost connection, with the first unanswered one."""

    def __init__(self, port: int, batch: list[Slice], ledger: Ledger, up: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port, self._batch, self._ledger, self._up = port, batch, ledger, up
        self.given_up = False

    def run(self) -> None:
        while rest := [one for one in self._batch if one.sop_uid not in self._ledger.acknowledged]:
            if not self._up.wait(60):
                self.given_up = True
                return
            send(self._port, rest, self._ledger)


@pytest.mark.timeout(300)
def test_invariant_4_random_kills_lose_nothing_acknowledged(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    home, ledger, up = tmp_path / "home", Ledger(), threading.Event()
    new_archive(home).close()
    with Appliance(home) as box:
        share = INSTANCES // ASSOCIATIONS
        modalities = [Modality(box.scp_port, slices(share), ledger, up) for _ in range(ASSOCIATIONS)]
        for modality in modalities:
            modality.start()
        for _ in range(KILLS):
            box.start("scp")
            box.wait_ready("scp")
            up.set()
            ledger.wait_for(len(ledger.statuses) + chance.randrange(1, INSTANCES // KILLS))
            up.clear()
            box.kill("scp")
            with opened(home) as archive:
                assert_kept(archive, dict(ledger.acknowledged))
        box.start("scp")
        box.wait_ready("scp")
        up.set()
        for modality in modalities:
            modality.join(120)
            assert not modality.is_alive()
            assert not modality.given_up
        assert box.stop("scp") == 0
    assert set(ledger.statuses) == {SUCCESS}
    assert len(ledger.acknowledged) == INSTANCES
    with opened(home) as archive:
        assert_kept(archive, ledger.acknowledged)
        assert archive.numbers.counts().instances == INSTANCES
        assert fsck.check(archive).findings == []
