"""How fast objects are received, side by side with dcmtk's storescp and with Orthanc.

    python -m tests.benchmarks.ingest [--repeats 5] [--only TEXT]

Every run is against a fresh receiver; runs of the receivers alternate, so that drift of the machine meets
all of them. Medians are printed with the ratio of ours to each other. The promises differ: storescp fsyncs
nothing and has no index, Orthanc's index may lose its last commits at a power cut, ours may not.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import senders
from tests.benchmarks.receivers import RECEIVERS, Receiver
from tests.benchmarks.senders import Load

MIB = 1 << 20
CT_PIXELS = 512 * 512 * 2
SMALL_PIXELS = 80 * 80 * 2

# (load, sender): storescu as in a clinic, raw to see what the receiver can take.
ROUNDS: tuple[tuple[Load, str], ...] = (
    (Load("CT 526 KB, 1 association", 200, CT_PIXELS, 1), "storescu"),
    (Load("CT 526 KB, 4 associations", 400, CT_PIXELS, 4), "storescu"),
    (Load("CT 526 KB, 1 association, Nagle", 60, CT_PIXELS, 1), "nagle"),
    (Load("CT 526 KB, 1 association", 200, CT_PIXELS, 1), "raw"),
    (Load("CT 526 KB, 4 associations", 400, CT_PIXELS, 4), "raw"),
    (Load("14 KB, 1 association", 400, SMALL_PIXELS, 1), "raw"),
    (Load("14 KB, 4 associations", 800, SMALL_PIXELS, 4), "raw"),
    (Load("262 MB, 1 association", 3, 250 * MIB, 1), "raw"),
)


@dataclass(frozen=True)
class Measured:
    """One run."""

    seconds: float
    cpu: float
    peak: int


def measure(kind: type[Receiver], load: Load, sender: str) -> Measured:
    """Send the load once to a fresh receiver."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        send = _sender(load, sender, folder / "files")
        home = folder / "receiver"
        home.mkdir()
        with kind(home) as receiver:
            cpu = receiver.cpu_seconds()
            seconds = send(receiver.port)
            measured = Measured(seconds, receiver.cpu_seconds() - cpu, receiver.peak_bytes())
        shutil.rmtree(home)
    return measured


def _sender(load: Load, sender: str, folder: Path) -> Callable[[int], float]:
    if sender == "raw":
        return senders.raw(load)
    return senders.storescu(load, folder, nodelay=sender != "nagle")


def compare(load: Load, sender: str, repeats: int) -> None:
    """Print one row per receiver."""
    runs: dict[type[Receiver], list[Measured]] = {kind: [] for kind in RECEIVERS}
    for _ in range(repeats):
        for kind in RECEIVERS:
            runs[kind].append(measure(kind, load, sender))
    print(f"\n{load.name}, {sender}, median of {repeats}")
    print(f"  {'receiver':<14}{'MB/s':>8}{'range':>16}{'inst./s':>9}{'CPU s/GB':>10}{'peak MB':>9}{'ours/it':>9}")
    megabytes = load.count * load.pixel_bytes / 1e6
    ours = statistics.median(run.seconds for run in runs[RECEIVERS[0]])
    for kind, measured in runs.items():
        seconds = sorted(run.seconds for run in measured)
        median = statistics.median(seconds)
        spread = f"[{megabytes / seconds[-1]:.0f}-{megabytes / seconds[0]:.0f}]"
        cpu = statistics.median(run.cpu for run in measured) / (megabytes / 1000)
        peak = max(run.peak for run in measured) / 1e6
        print(
            f"  {kind.name:<14}{megabytes / median:>8.0f}{spread:>16}{load.count / median:>9.0f}"
            f"{cpu:>10.1f}{peak:>9.0f}{median / ours:>9.2f}",
            flush=True,
        )


def main() -> None:
    """Read the arguments and run every round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="only rounds whose name or sender contains this text")
    arguments = parser.parse_args()
    for load, sender in ROUNDS:
        if arguments.only in f"{load.name}, {sender}":
            compare(load, sender, arguments.repeats)


if __name__ == "__main__":
    main()
