"""How long a worklist search takes in the server, over 100,000 studies."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from appliance.archive.room import Archive
from appliance.dicomweb.params import parse_search
from appliance.model.attributes import Level
from tests.archives import new_archive
from tests.builders.worklist import fill

STUDIES: Final = 100_000
REPEATS: Final = 7
QUERIES: Final = (
    "",
    "PatientName=*DOE*",
    "PatientName=*NOBODY*",
    "PatientName=*伟*",
    "PatientName=doe jo&fuzzymatching=true",
    "AccessionNumber=*a2019*&fuzzymatching=true",
    "AccessionNumber=*ZZZ*",
    "StudyDescription=*rontgen*&fuzzymatching=true",
    "PatientName=*DOE*&ModalitiesInStudy=US",
    "StudyDate=20190101-20190131",
    "StudyDate=20190101-20191231&TimezoneOffsetFromUTC=+0800",
)


def seconds_of(archive: Archive, query: str) -> tuple[int, list[float]]:
    """Return how many studies a query finds, and the seconds of each repeat."""
    pairs = [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)]
    asked = parse_search(Level.STUDY, pairs, max_results=101)
    stored = [attribute for attribute in asked.attributes if attribute.column]
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        rows = archive.search.find(asked.query, stored)
        taken.append(time.perf_counter() - begun)
    return len(rows), taken


def main() -> None:
    """Print the median and the longest of each query, in milliseconds."""
    print(f"\nworklist search over {STUDIES} studies, milliseconds in the server")
    with TemporaryDirectory() as folder:
        archive = new_archive(Path(folder) / "home")
        fill(archive, STUDIES)
        for query in QUERIES:
            rows, taken = seconds_of(archive, query)
            middle, longest = statistics.median(taken) * 1000, max(taken) * 1000
            print(f"{query or '(everything)':58} {rows:4} rows  median {middle:6.1f}  longest {longest:6.1f}")
        archive.close()


if __name__ == "__main__":
    main()
