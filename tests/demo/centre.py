"""The centre and two boxes on this machine: studies are sent, the line breaks and comes back, all is confirmed.

`python -m tests.demo.centre [--keep]`, or `make central-demo`. Ends with 0 only if everything is confirmed.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.partners.stage.box import StageBox
from tests.partners.stage.centre import CentreStage
from tests.partners.stage.traffic import Book, Item, Modality, studies
from tests.waiting import wait_until

SITES = {"clinic-1": "north", "clinic-2": "south"}
SECONDS = 60.0


def main(arguments: list[str]) -> int:
    """Tell the story; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo.centre", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    keep, confirmed = parser.parse_args(arguments).keep, False
    with _ended_by_signals() as ending:
        say("Starting Kafka, PostgreSQL, a stand-in for Doris, nginx, receiver, loader and two boxes")
        with CentreStage(SITES) as stage:
            story = Story(stage)
            confirmed = story.tell()
            if keep:
                story.show_places()
                ending.wait()
    return 0 if confirmed else 1


class Story:
    """What is shown, step by step."""

    def __init__(self, stage: CentreStage) -> None:
        """Everything runs; nothing was sent."""
        self._stage = stage
        self._book = Book()
        self._studies: Iterator[list[Item]] = studies(100, of=8)
        self._first, self._second = stage.boxes.values()

    def tell(self) -> bool:
        """Tell it; return whether all is confirmed at the end."""
        show("appliance central site list", self._stage.centre.command("central", "site", "list").stdout)
        study = self._send(self._first)
        self._send(self._second)
        self._stage.settled(SECONDS)
        self._custody(self._first, study)
        say("The line is cut: that of clinic-1 to nginx, and that of all boxes to Kafka. Its modality goes on")
        self._stage.cut("clinic-1", "kafka")
        study = self._send(self._first)
        wait_until(lambda: self._first.undelivered() > 0, SECONDS)
        self._custody(self._first, study)
        say("The line is back")
        self._stage.mend("clinic-1", "kafka")
        self._stage.settled(SECONDS)
        self._custody(self._first, study)
        return self._sum_up()

    def show_places(self) -> None:
        """Say where everything is, with the pages of the boxes."""
        stage = self._stage
        for site, box in stage.boxes.items():
            box.start("web")
            box.wait_answering("web")
            print(f"  {site:<12} {box.url} (pages), 127.0.0.1:{box.scp_port} (DICOM), {box.home}")
        print(f"  {'receiver':<12} {stage.front.url} (nginx), {stage.centre.url}/metrics")
        print(f"  {'Kafka':<12} {stage.kafka.servers('admin')}")
        print(f"  {'PostgreSQL':<12} 127.0.0.1:{stage.postgres.port}, password in {stage.postgres.password_file}")
        print(f"  {'Doris':<12} {stage.doris.url} (a stand-in)")
        print("Ctrl-C ends and removes everything.", flush=True)

    def _send(self, box: StageBox) -> str:
        """Let a modality send a study; return its UID."""
        items = next(self._studies)
        Modality(box, items, self._book, threading.Event()).run()
        say(f"A modality sends a study of {len(items)} to {box.who.site}: all answered with 0x0000")
        return items[0].study_uid

    def _custody(self, box: StageBox, study: str) -> None:
        done = box.command("custody", "show", study, check=False)
        show(f"appliance custody show {study}   # at {box.who.site}", done.stdout, done.returncode)

    def _sum_up(self) -> bool:
        say("What every box says of all it has received")
        whole = True
        for site, box in self._stage.boxes.items():
            lines = box.exported()
            confirmed = sum(line["confirmed"] for line in lines)
            sent = len(self._book.by_site[site])
            print(f"  {site}: {sent} answered with 0x0000, {len(lines)} in custody, {confirmed} confirmed")
            whole = whole and confirmed == len(lines) == sent and not box.missing()
        tables = self._stage.tables
        counts = [len(tables.rows("SELECT 1 FROM dicom_object_meta")), len(tables.doris("dicom_image_meta"))]
        print(f"  the centre: {counts[0]} objects in PostgreSQL, {counts[1]} images in Doris")
        wanted = len(self._book.acknowledged)
        return whole and counts == [wanted, wanted]


def say(text: str) -> None:
    """Print a heading of the story."""
    print(f"\n== {text}", flush=True)


def show(command: str, output: str, code: int = 0) -> None:
    """Print a command with its output, and its exit code if that is not 0."""
    print(f"\n$ {command}", output.strip(), sep="\n", flush=True)
    if code:
        print(f"(exit code {code})", flush=True)


@contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    """SIGINT and SIGTERM end what is kept; before that they interrupt, and everything is removed all the same."""
    ending = threading.Event()

    def end(*_: object) -> None:
        if ending.is_set():
            return
        ending.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    except KeyboardInterrupt:
        print("\nEnded.", file=sys.stderr)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
