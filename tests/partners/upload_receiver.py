"""The uploads of a receiver and nothing else: the real handlers, archive and server, sites by their name as token.

In this process (`UploadReceiver`), or as one that can be killed (`UploadProcess`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry

from appliance.archive.group2 import ByteStream
from appliance.archive.ingest import Check
from appliance.archive.reserve import Reserve
from appliance.archive.room import Archive
from appliance.archive.uploads import UploadLimits, Uploads
from appliance.central.registry import Site
from appliance.central.upload_metrics import UploadMetrics
from appliance.central.uploads import EXTENSION, UploadDoor, blueprint
from appliance.clock import Clock, SystemClock
from appliance.dicomweb.problems import problem_of
from appliance.errors import ApplianceError
from appliance.http.server import Limits, WebServer
from appliance.model.records import Door, Origin, Stored
from tests.archives import new_archive
from tests.partners.ports import free_ports
from tests.partners.program import Program, Server

GIB = 1 << 30
PLACE = "/edge/v1/uploads"
SITES = {name: Site(name, tenant) for name, tenant in (("clinic-1", "one"), ("clinic-2", "two"), ("clinic-3", "one"))}
LIMITS = UploadLimits(quota_bytes=2 * GIB, object_bytes=GIB, days=2)


class UploadReceiver:
    """Serves at once on a port of 127.0.0.1. A context manager. `stored` are what it received, in order."""

    def __init__(
        self, home: Path, *, limits: UploadLimits = LIMITS, clock: Clock | None = None, port: int = 0,
        reserve: Reserve | None = None,
    ) -> None:  # fmt: skip
        """Open the archive at `home`, made if it is not there."""
        self.archive: Archive = new_archive(home)
        self.stored: list[Stored] = []
        self.receipts: list[tuple[str, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.fault: ApplianceError | None = None
        self.registry = CollectorRegistry()
        self.uploads = Uploads(home / "uploads", limits, reserve or Reserve(home, 0), clock or SystemClock())
        metrics = UploadMetrics(self.registry, self.uploads)
        app = _app(UploadDoor(self.uploads, self._receive, self._holds, metrics, self._confirm))
        spool = home / "bodies"
        spool.mkdir(exist_ok=True)
        server_limits = Limits(4, 100, GIB, spool, 0)
        self._server = WebServer(app, "127.0.0.1", port, server_limits)
        self.port = self._server.port
        self._server.start()

    @property
    def url(self) -> str:
        """Root of its DICOMweb service."""
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def digests(self) -> dict[str, str]:
        """What it holds: digest by SOP instance UID."""
        return digests(self.archive)

    def close(self) -> None:
        """End it."""
        self._server.stop(5)
        self.archive.close()

    def _receive(self, site: Site, stream: ByteStream, check: Check) -> Stored:
        self.gate.wait(30)
        if self.fault is not None:
            raise self.fault
        stored = self.archive.ingest.receive_file(stream, Origin(Door.STOW, site.name), check=check)
        self.stored.append(stored)
        self._confirm(site, [stored])
        return stored

    def _confirm(self, site: Site, stored: Sequence[Stored]) -> None:
        self.receipts += [(site.name, one.digest) for one in stored]

    def _holds(self, site: Site, held: Mapping[str, str]) -> bool:
        found = self.archive.reading.instances(held["study_uid"], held["series_uid"], held["sop_uid"])
        return any(one.digest == held["digest"] for one in found)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class UploadProcess(Server):
    """The same as a process, on the same port and home over its lives."""

    def __init__(self, home: Path, environ: Mapping[str, str] | None = None) -> None:
        """Nothing is started. `environ` is for failpoints."""
        (self.port,) = free_ports(1)
        self.home = home
        self._command = [sys.executable, "-m", "tests.partners.upload_receiver", str(home), str(self.port)]
        self.log = home.parent / "upload_receiver.log"
        self.program = Program(self._command, self.log, environ)

    def without_faults(self) -> None:
        """Start without failpoints from now on."""
        self.program = Program(self._command, self.log)

    @property
    def url(self) -> str:
        """Root of its DICOMweb service."""
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def answers(self) -> bool:
        """Ask what it offers."""
        try:
            with requests.options(f"http://127.0.0.1:{self.port}{PLACE}", timeout=2) as answer:
                return answer.status_code == 204
        except requests.RequestException:
            return False


def digests(archive: Archive) -> dict[str, str]:
    """What an archive holds: digest by SOP instance UID."""
    with archive.database.read() as cx:
        rows = cx.execute("SELECT sop_uid, digest FROM version").fetchall()
    return {str(row["sop_uid"]): str(row["digest"]) for row in rows}


def _app(door: UploadDoor) -> Flask:
    app = Flask(__name__)
    app.extensions[EXTENSION] = door
    app.register_blueprint(blueprint())
    app.before_request(_admit)
    app.register_error_handler(ApplianceError, _problem)
    return app


def _admit() -> None:
    token = request.headers.get("Authorization", "Bearer clinic-1").removeprefix("Bearer ")
    g.site = SITES[token]


def _problem(error: ApplianceError) -> Response:
    problem = problem_of(error)
    return Response(problem.detail, problem.status)


def main(home: Path, port: int, until: Callable[[], Any]) -> None:
    """Serve until told to stop."""
    with UploadReceiver(home, port=port):
        until()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), threading.Event().wait)
