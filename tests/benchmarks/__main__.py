"""`make bench`: every measurement, one after the other."""

from __future__ import annotations

from tests.benchmarks import decoding, ingest, reading, searching

if __name__ == "__main__":
    ingest.main()
    reading.main()
    searching.main()
    decoding.main()
