"""The jars of Apache Kafka: which version, where they are kept, and how they get there.

Run as a program (`python3 -m tests.partners.kafka_jars`, standard library only) it fetches what is missing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

POM = Path(__file__).resolve().parents[1] / "kafka" / "pom.xml"
FETCH_SECONDS = 600


def version() -> str:
    """The version of Kafka that the pom names."""
    found = re.search(r"<kafka\.version>([\d.]+)</kafka\.version>", POM.read_text())
    assert found is not None, f"{POM} names no kafka.version"
    return found[1]


def folder() -> Path:
    """Where the jars are kept, whether they are there yet or not: a cache that outlives the working tree."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "dicom-edge-appliance" / f"kafka-{version()}"


def jars() -> Path:
    """The folder of jars; fails with what to do when they are not there."""
    assert folder().is_dir(), f"{folder()} is missing: make test-setup fetches Kafka from Maven Central"
    return folder()


def fetch() -> Path:
    """Copy Kafka and all it depends on from Maven Central, checksums verified; whole or not at all."""
    target = folder()
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        subprocess.run(
            ["mvn", "--batch-mode", "-Dstyle.color=never", "--quiet", "--strict-checksums", "--file", str(POM)]
            + ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={scratch}/jars"],
            check=True,
            timeout=FETCH_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        try:
            (Path(scratch) / "jars").rename(target)
        except OSError:
            # Somebody else was faster; any other failure leaves no target, and is one.
            assert target.is_dir()
    return target


def main() -> int:
    """Fetch, or say what is missing; the exit code."""
    if not folder().is_dir():
        missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
        if missing:
            print(f"Kafka needs {' and '.join(missing)}: apt-get install default-jre-headless maven", file=sys.stderr)
            return 1
        print(f"Fetching Kafka {version()} from Maven Central into {folder()} ...", flush=True)
    try:
        fetch()
    except (subprocess.SubprocessError, OSError) as error:
        print(f"Kafka {version()} could not be fetched from Maven Central: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
