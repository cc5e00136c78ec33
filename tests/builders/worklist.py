"""A worklist of many studies, written straight into the index: names in several scripts, ten years of dates."""

from __future__ import annotations

import random
from typing import Any, Final

from appliance.archive.room import Archive
from appliance.model.attributes import Level, folded_attributes
from appliance.model.names import fold, name_search

FAMILIES: Final = ("SMITH", "JONES", "MUELLER", "Müller", "GARCIA", "Nguyen", "KIM", "WANG", "O'CONNOR", "ROSSI")
GIVEN: Final = ("JOHN", "MARY", "WEI", "ANNA", "PETER", "Jörg", "SOFIA", "OLGA", "RAHUL", "CHEN")
IDEOGRAPHS: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超霞平刚"
DESCRIPTIONS: Final = ("CT Thorax", "MR Kopf", "Röntgen Thorax a.p.", "胸部CT")
EVERY_DOE: Final = 2500


def fill(archive: Archive, count: int) -> None:
    """Add `count` studies; one in EVERY_DOE is of DOE^JOHN."""
    chance = random.Random(4)
    rows = [_study(chance, number, archive.settings.tenant) for number in range(count)]
    columns = ", ".join(rows[0])
    marks = ", ".join("?" * len(rows[0]))
    with archive.database.write() as cx:
        cx.executemany(f"INSERT INTO study ({columns}) VALUES ({marks})", [tuple(row.values()) for row in rows])


def _name(chance: random.Random, number: int) -> str:
    if number % EVERY_DOE == 7:
        return "DOE^JOHN"
    latin = f"{chance.choice(FAMILIES)}{chance.randrange(300)}^{chance.choice(GIVEN)}"
    native = f"{chance.choice(IDEOGRAPHS)}^{''.join(chance.choices(IDEOGRAPHS, k=2))}"
    return f"{latin}={native}" if number % 5 == 0 else latin


def _study(chance: random.Random, number: int, tenant: str) -> dict[str, Any]:
    year = 2015 + number % 10
    row: dict[str, Any] = {
        "tenant": tenant, "study_uid": f"1.2.826.0.1.3680043.8.498.{number}", "patient_name": _name(chance, number),
        "patient_id": f"PAT{chance.randrange(40000):06d}", "patient_birth_date": "19700101", "patient_sex": "F",
        "study_date": f"{year}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}",
        "study_time": f"{chance.randrange(24):02d}{chance.randrange(60):02d}00", "study_id": str(number),
        "accession_number": f"A{year}{number:06d}", "study_description": chance.choice(DESCRIPTIONS),
        "referring_physician_name": "WHO^DOCTOR", "cloud_patient_id": "x", "cloud_study_date": "20240101",
        "modalities": chance.choice(("CT", "MR", "CT\\SR", "US")), "series_count": 3, "instance_count": 300,
        "received_at": number, "updated_at": number, "revision": number + 1,
    }  # fmt: skip
    for attribute in folded_attributes(Level.STUDY):
        text = str(row[attribute.column])
        row[attribute.search_column] = name_search(text) if attribute.vr == "PN" else fold(text)
    return row
