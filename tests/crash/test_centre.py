"""A whole centre while its parts die and its lines break: what a door acknowledged is at the centre, exactly once."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.partners.stage.box import CENTRE, StageBox
from tests.partners.stage.centre import CentreStage
from tests.partners.stage.planting import planted
from tests.partners.stage.topics import Planted
from tests.partners.stage.traffic import Book, Item, Modality, expect_of, studies

pytestmark = pytest.mark.serial

SITES = {"clinic-1": "north", "clinic-2": "north", "clinic-3": "south"}
ASSOCIATIONS = 2
LINE = "line:"
JOIN_SECONDS = 60.0


@pytest.mark.timeout(300)
def test_deaths_and_cuts_everywhere_lose_nothing_invent_nothing_and_custody_says_so() -> None:
    Chaos(instances=600, rounds=4, deals=1).run()


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_many_more_deaths_and_cuts() -> None:
    Chaos(instances=2400, rounds=6, deals=4).run()


class Chaos:
    """One run. Every part dies and every line breaks once per deal, dealt to `rounds` rounds in a random order."""

    def __init__(self, *, instances: int, rounds: int, deals: int, seed: int | None = None) -> None:
        """Nothing runs yet; the seed is printed, so that the order of a run can be had again."""
        self.seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
        self._chance = random.Random(self.seed)
        self._rounds, self._deals = rounds, deals
        self._each = instances // len(SITES)
        self.book = Book()
        self._planted: list[Planted] = []
        self._noted: set[tuple[str, str]] = set()

    def run(self) -> None:
        """Send, kill, wait until all is quiet, compare."""
        print(f"seed {self.seed}")
        began = time.monotonic()
        with CentreStage(SITES) as stage:
            self._tell("up", began)
            self._storm(stage)
            self._tell("storm over", began)
            stage.settled(120)
            self._tell("settled", began)
            self.compare(stage)
            self._tell("compared", began)
        self._tell("all", began)

    def _tell(self, what: str, began: float) -> None:
        print(f"{time.monotonic() - began:6.1f} s: {what}")

    def _storm(self, stage: CentreStage) -> None:
        shares = {site: self._share(number) for number, site in enumerate(SITES)}
        shared = next(studies(1, first=4))
        for share in shares.values():
            share += shared
        bad = planted(stage.boxes["clinic-1"], foreign_tenant="south")
        self._chance.shuffle(bad)
        hands = [hand for _ in range(self._deals) for hand in self._deal(stage)]
        for number, hand in enumerate(hands):
            stage.topics.plant(bad[number :: len(hands)])
            self._planted += bad[number :: len(hands)]
            self._round(stage, hand, {site: share[number :: len(hands)] for site, share in shares.items()})
        for site, box in stage.boxes.items():
            self._note_unreadable(box, site, {one.sop_uid for one in shared})

    def _share(self, number: int) -> list[Item]:
        return [one for study in studies(self._each // 10 - 1, first=100 * number) for one in study]

    def _deal(self, stage: CentreStage) -> list[list[str]]:
        names = [*stage.parts, *(LINE + name for name in stage.lines)]
        self._chance.shuffle(names)
        return [names[number :: self._rounds] for number in range(self._rounds)]

    def _round(self, stage: CentreStage, hand: Sequence[str], items: dict[str, list[Item]]) -> None:
        ending = threading.Event()
        sending = [
            Modality(stage.boxes[site], share[number::ASSOCIATIONS], self.book, ending)
            for site, share in items.items()
            for number in range(ASSOCIATIONS)
        ]
        for modality in sending:
            modality.start()
        try:
            for name in hand:
                self.book.wait_more(self._chance.randrange(1, 20), 0.5)
                _break(stage, name)
            self.book.wait_more(self._chance.randrange(1, 20), 0.5)
            _mend(stage, hand)
            for modality in sending:
                modality.join(JOIN_SECONDS)
                assert not modality.is_alive()
        finally:
            ending.set()

    def _note_unreadable(self, box: StageBox, site: str, but: set[str]) -> None:
        """Let the box find that it cannot decode some of its objects."""
        with box.opened() as archive:
            for uid in sorted(self.book.by_site[site] - but)[:5]:
                item = self.book.acknowledged[box.who.tenant, uid]
                (one,) = archive.reading.instances(item.study_uid, item.series_uid, uid)
                archive.transcodes.note(one.version_id, 1, "refused", "no decoder takes it")
                self._noted.add((box.who.tenant, self.book.trace(box.who.tenant, uid)))

    def compare(self, stage: CentreStage) -> None:
        """Hold tables, custody and dead letters against what was acknowledged and planted."""
        assert self.book.refused == []
        assert sum(map(len, self.book.by_site.values())) == self._each * len(SITES)
        stage.assert_alive()
        self._compare_postgres(stage)
        self._compare_doris(stage)
        self._compare_letters(stage)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(self._compare_custody, stage.boxes.values()))

    def _compare_postgres(self, stage: CentreStage) -> None:
        query = "SELECT tenant_id, study_uid, series_uid, patient_name, modality, series_related_instances"
        found = {row[:3]: row[3:] for row in stage.tables.rows(f"{query} FROM dicom_state_meta")}
        assert found == self.book.series()
        objects = stage.tables.rows("SELECT tenant_id, trace_id FROM dicom_object_meta")
        assert sorted(objects) == sorted(self.book.objects())
        json_meta = stage.tables.rows("SELECT tenant_id, study_uid, series_uid FROM dicom_json_meta")
        assert set(json_meta) == self.book.series().keys()

    def _compare_doris(self, stage: CentreStage) -> None:
        tables = stage.tables
        names = ("tenant_id", "study_uid", "series_uid", "sop_uid")
        assert expect_of(tables.doris("dicom_image_meta"), *names) == sorted(self.book.images())
        assert expect_of(tables.doris("dicom_object_meta"), "tenant_id", "trace_id") == sorted(self.book.objects())
        assert expect_of(tables.doris("dicom_transcode_log"), "tenant_id", "trace_id") == sorted(self._noted)

    def _compare_letters(self, stage: CentreStage) -> None:
        letters = stage.topics.dead_letters()
        wanted = Counter((one.topic, one.value, one.cause) for one in self._planted)
        assert Counter((one.topic, one.value, one.cause) for one in letters) == wanted
        assert all(one.reason for one in letters)

    def _compare_custody(self, box: StageBox) -> None:
        assert box.missing() == {}
        lines = box.exported()
        assert {line["sop_uid"] for line in lines} == self.book.by_site[box.who.site]
        assert len(lines) == self._each
        for line in lines:
            levels = {(one["sink"], one["level"], one["kind"]) for one in line["confirmations"]}
            assert line["confirmed"] is True
            assert levels == {(CENTRE, "bytes", "receipt"), (CENTRE, "metadata", "receipt")}


def _break(stage: CentreStage, name: str) -> None:
    if name.startswith(LINE):
        stage.cut(name.removeprefix(LINE))
    else:
        stage.kill(name)


def _mend(stage: CentreStage, hand: Sequence[str]) -> None:
    stage.mend(*(name.removeprefix(LINE) for name in hand if name.startswith(LINE)))
    # Servers before those that ask for them.
    stage.revive(*(name for name in stage.parts if name in hand))
