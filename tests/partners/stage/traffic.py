"""What modalities send to the boxes of a stage, and what must be at the centre because a door said 0x0000."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from appliance.model.uid import derive_trace_id
from tests.builders.instances import ct, encode
from tests.partners.raw_scu import Aborted, RawScu, Rejected
from tests.partners.stage.box import StageBox

SYNTAX = str(ExplicitVRLittleEndian)
SUCCESS = 0x0000
CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
}
CONTEXTS = tuple((name, (SYNTAX,)) for name in CLASSES.values())
PATIENTS = (
    ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
    ("GB18030", "Li^Na=李^娜"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    ("ISO_IR 192", "Müllerová^Žofie"),
)
LOST = (Aborted, Rejected, OSError)


@dataclass(frozen=True)
class Item:
    """One instance as it travels, and what of it the centre shows."""

    study_uid: str
    series_uid: str
    sop_uid: str
    modality: str
    patient_name: str
    data: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the data set."""
        return hashlib.sha256(self.data).hexdigest()


def studies(count: int, *, of: int = 10, first: int = 0) -> Iterator[list[Item]]:
    """Yield studies of `of` instances in two series each, by turns of modality, character set and patient."""
    for number in range(first, first + count):
        charset, name = PATIENTS[number % len(PATIENTS)]
        modality = tuple(CLASSES)[number % len(CLASSES)]
        study = {"SpecificCharacterSet": charset, "PatientName": name, "PatientID": f"P-{number}",
                 "StudyInstanceUID": _uid(), "Modality": modality, "SOPClassUID": CLASSES[modality]}  # fmt: skip
        uids = (_uid(), _uid())
        yield [
            _item(ct(**study, SeriesInstanceUID=uids[at % 2], SOPInstanceUID=_uid(), InstanceNumber=at + 1), name)
            for at in range(of)
        ]


def _uid() -> str:
    """A UID of ours alone, short enough to be read."""
    return f"2.25.{random.SystemRandom().randrange(10**14, 10**15)}"


def _item(dataset: Dataset, name: str) -> Item:
    uids = (str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID))
    return Item(*uids, str(dataset.Modality), name, encode(dataset, SYNTAX))


class Book:
    """What was answered with success, by tenant. Safe to use from many threads."""

    def __init__(self) -> None:
        """Nothing was sent."""
        self.acknowledged: dict[tuple[str, str], Item] = {}
        self.by_site: dict[str, set[str]] = {}
        self.refused: list[int] = []
        self._answers = 0
        self._changed = threading.Condition()

    def note(self, box: StageBox, item: Item, status: int) -> None:
        """Write down an answer."""
        with self._changed:
            self._answers += 1
            if status == SUCCESS:
                self.acknowledged[box.who.tenant, item.sop_uid] = item
                self.by_site.setdefault(box.who.site, set()).add(item.sop_uid)
            else:
                self.refused.append(status)
            self._changed.notify_all()

    def has(self, box: StageBox, item: Item) -> bool:
        """Whether this box has said that it holds it."""
        with self._changed:
            return item.sop_uid in self.by_site.get(box.who.site, ())

    def wait_more(self, count: int, seconds: float) -> None:
        """Wait for so many further answers, or for so long: there may be no door that gives them."""
        with self._changed:
            wanted = self._answers + count
            self._changed.wait_for(lambda: self._answers >= wanted, seconds)

    def objects(self) -> set[tuple[str, str]]:
        """(tenant, trace id) of every object."""
        return {(tenant, self.trace(tenant, uid)) for tenant, uid in self.acknowledged}

    def trace(self, tenant: str, sop_uid: str) -> str:
        """The trace id of one object."""
        return derive_trace_id(tenant, sop_uid, self.acknowledged[tenant, sop_uid].digest)

    def images(self) -> set[tuple[str, ...]]:
        """(tenant, study, series, instance) of every image."""
        return {(tenant, one.study_uid, one.series_uid, one.sop_uid) for (tenant, _), one in self.acknowledged.items()}

    def series(self) -> dict[tuple[str, ...], tuple[str, str, int]]:
        """Patient's name, modality and number of instances of every series, by (tenant, study, series)."""
        found: dict[tuple[str, ...], tuple[str, str, int]] = {}
        for (tenant, _), one in self.acknowledged.items():
            key = (tenant, one.study_uid, one.series_uid)
            count = found[key][2] if key in found else 0
            found[key] = (one.patient_name, one.modality, count + 1)
        return found


class Modality(threading.Thread):
    """Sends items in order to one box; after every lost connection it goes on with the first unanswered one."""

    def __init__(self, box: StageBox, items: Sequence[Item], book: Book, patience: threading.Event) -> None:
        """`patience` ends the sending early."""
        super().__init__(daemon=True)
        self._box, self._items, self._book, self._ending = box, items, book, patience

    def run(self) -> None:
        """Send until all of it was answered with success."""
        while rest := [one for one in self._items if not self._book.has(self._box, one)]:
            if not self._send(rest) and self._ending.wait(0.1):
                return

    def _send(self, items: Sequence[Item]) -> bool:
        try:
            with RawScu("127.0.0.1", self._box.scp_port, contexts=CONTEXTS, timeout=10) as scu:
                for one in items:
                    status = scu.store(CLASSES[one.modality], one.sop_uid, SYNTAX, one.data)
                    self._book.note(self._box, one, status)
        except LOST:
            return False
        return True


def expect_of(table: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Columns of a table's rows, sorted: what is there twice stays twice."""
    return sorted(tuple(str(row[name]) for name in names) for row in table)
