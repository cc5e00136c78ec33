"""The stage: servers, centre and boxes started together; every part can be killed, every line cut."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from click.testing import CliRunner

from appliance.cli.main import cli
from tests.partners.centre import Centre
from tests.partners.doris.double import USERS
from tests.partners.doris.server import DorisServer
from tests.partners.fault_proxy import FaultProxy
from tests.partners.faults import PASS, REFUSE, Fault
from tests.partners.kafka import KafkaBroker
from tests.partners.loader import LoaderProcess
from tests.partners.postgres import Postgres
from tests.partners.program import Server
from tests.partners.stage.box import Identity, Lines, StageBox, asked
from tests.partners.stage.front import Front
from tests.partners.stage.keys import Keys
from tests.partners.stage.settings import (
    DATABASE,
    ROLE,
    Place,
    administrator_text,
    loader_environ,
    receiver_text,
)
from tests.partners.stage.tables import Tables
from tests.partners.stage.topics import Topics
from tests.waiting import wait_until

QUICK_GROUPS = {"group.min.session.timeout.ms": "1000"}
SETTLE_SECONDS = 60.0


@dataclass(frozen=True)
class Part:
    """Something that runs: how it is killed with -9, started, waited for, and whether it lives."""

    kill: Callable[[], Any]
    start: Callable[[], Any]
    wait: Callable[[], Any]
    lives: Callable[[], bool]


class CentreStage:
    """A centre and its boxes; `sites` are names with their tenants. A context manager: on exit nothing is left.

    `parts` and `lines` have names: kafka, postgres, doris, nginx, receiver, outbox (the receiver's), loader, and
    SITE/scp and SITE/sync; the lines are SITE, to nginx, and kafka, which all boxes share.
    """

    def __init__(self, sites: Mapping[str, str], rooms: Sequence[str] = ("scp", "sync")) -> None:
        """Choose ports, make keys; nothing runs yet. `rooms` are those of each box that are started."""
        self._wanted, self._rooms = sites, rooms
        # Short, because of the receiver's socket, and where the user of PostgreSQL may look.
        self.folder = Path(tempfile.mkdtemp(prefix="stage-"))
        self.keys = Keys(self.folder / "pki")
        self.kafka = KafkaBroker(self.folder / "kafka", overrides=QUICK_GROUPS)
        self.postgres = Postgres(self.folder / "postgres")
        self.centre = Centre(self.folder / "centre")
        self.topics = Topics(self.kafka.servers("admin"))
        self.boxes: dict[str, StageBox] = {}
        self.parts: dict[str, Part] = {}
        self.lines: dict[str, FaultProxy] = {}
        self._stack = ExitStack()
        self._inside = self.kafka.servers("admin")

    def kill(self, *names: str) -> None:
        """kill -9."""
        for name in names:
            self.parts[name].kill()

    def revive(self, *names: str) -> None:
        """Start again, and wait until they serve."""
        for name in names:
            self.parts[name].start()
        for name in names:
            self.parts[name].wait()

    def cut(self, *names: str, fault: Fault = REFUSE) -> None:
        """Break lines: open connections too."""
        for name in names:
            self.lines[name].set(fault)

    def mend(self, *names: str) -> None:
        """Let lines pass again."""
        self.cut(*names, fault=PASS)

    def settled(self, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until every outbox is empty, the loader is through, and every box has all its receipts."""
        try:
            wait_until(lambda: not any(self.standing().values()), seconds, every=0.2)
        except AssertionError as error:
            raise AssertionError(f"not settled: {self.standing()}") from error

    def standing(self) -> dict[str, int]:
        """What is still on its way, by name; the later ones are asked for only once the earlier are 0."""
        found = {site: box.undelivered() for site, box in self.boxes.items()}
        found["outbox"] = self._receiver("SELECT count(*) FROM delivery WHERE state <> 'delivered'")
        if not any(found.values()):
            found["loader"] = self.topics.lag()
        if not any(found.values()):
            found["import"] = self.tables.receipts() - self._receiver(
                "SELECT coalesce(max(after), 0) FROM receipt_source"
            )
        if not any(found.values()):
            latest = "SELECT coalesce(max(id), 0) FROM receipt WHERE site = ?"
            found |= {
                f"{site} receipts": self._receiver(latest, site) - box.cursor() for site, box in self.boxes.items()
            }
        return found

    def assert_alive(self) -> None:
        """Fail when anything has ended by itself."""
        dead = [name for name, part in self.parts.items() if not part.lives()]
        assert not dead, dead

    def set_up(self) -> str:
        """Run `appliance central init` as somebody who may create topics and tables; return what it prints."""
        verb = ("central", "init", "--grant", ROLE, "--doris-sql", str(self.folder / "sql"))
        return configured(self.folder / "init.toml", *verb)

    def admit(self, *arguments: str) -> str:
        """Run `appliance central site add`; return what it prints."""
        return configured(self.centre.configuration, "central", "site", "add", *arguments)

    def admit_by_token(self, site: str, tenant: str) -> tuple[Path, Identity]:
        """Let in a site that has no certificate; return the file with its token, and who it is."""
        signing = self.keys.signing(site)
        told = self.admit(
            site, "--tenant", tenant, "--signature-key", str(signing.certificate), "--with-token", "--json"
        )
        file = self.folder / f"{site}.token"
        file.write_text(json.loads(told)["token"])
        return file, Identity(site, tenant, signing, signing)

    def make_box(self, name: str, who: Identity, **centre: Any) -> StageBox:
        """A box in a folder of that name, not initialised, on its site's line or any; `centre` as of StageBox."""
        line = self.lines.get(who.site, next(iter(self.lines.values())))
        lines = Lines(self.kafka.servers(), self.keys.authority, self.centre.receipt_key)
        return StageBox(self.folder / name, who, lines, line, **centre)

    def __enter__(self) -> Self:
        """Start everything and wait."""
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        if error is not None:
            self.tell()
        self.close()

    def tell(self) -> None:
        """Print the end of every log."""
        for log in sorted(self.folder.rglob("*.log")):
            print(f"--- {log.relative_to(self.folder)}", *log.read_text(errors="replace").splitlines()[-30:], sep="\n")

    def close(self) -> None:
        """End every process, remove every file. Safe to repeat."""
        for part in self.parts.values():
            if part.lives():
                part.kill()
        self._stack.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _receiver(self, query: str, *values: Any) -> int:
        return int(asked(self.centre.home, query, *values)[0][0])

    def _build(self) -> None:
        self.lines["kafka"] = self._stack.enter_context(FaultProxy(self.kafka.ports["plain"]))
        self.kafka.advertise("plain", self.lines["kafka"].port)
        for server in (self.kafka, self.postgres):
            self._stack.callback(server.close)
            server.start()
        self._write_centre()
        self._make_boxes()
        self._stack.push(self.centre.__exit__)
        configured(self.centre.configuration, "init")
        for box in self.boxes.values():
            box.initialise()
        self.postgres.wait_ready()
        self._prepare_postgres()
        self.kafka.wait_ready()
        self.set_up()
        self._start_centre()
        self._start_boxes()

    def _write_centre(self) -> None:
        records, receipts = self.keys.signing("centre-1"), self.keys.signing("centre-1-receipts")
        place = Place(self.centre.folder, self.centre.port, records.key, receipts.key)
        password = self.folder / "role"
        password.write_text(ROLE)
        self.centre.receipt_key = receipts.certificate
        self.centre.configuration.write_text(receiver_text(place, self._inside, self.postgres, ROLE, password))
        (self.folder / "init.toml").write_text(administrator_text(place, self._inside, self.postgres))
        self.admit("centre-1", "--tenant", "central", "--role", "receiver", "--signature-key", str(records.certificate))

    def _make_boxes(self) -> None:
        self.front = Front(self.folder / "nginx", self.centre.socket, self.keys)
        for site, tenant in self._wanted.items():
            who = Identity(site, tenant, self.keys.box(site), self.keys.signing(site))
            self.admit(site, "--tenant", tenant, "--signature-key", str(who.signing.certificate))
            self.lines[site] = self._stack.enter_context(FaultProxy(self.front.port))
            self.boxes[site] = self.make_box(site, who)

    def _prepare_postgres(self) -> None:
        self.postgres.create_role(ROLE, ROLE)
        self.postgres.create_database(DATABASE)

    def _start_centre(self) -> None:
        self.doris = DorisServer(self.folder / "doris", (self.folder / "sql" / "tables.sql").read_text())
        doris_password = self.folder / "doris-password"
        doris_password.write_text(USERS["loader"])
        environ = loader_environ(self.postgres, self.folder / "role", self.doris.url, doris_password)
        self.loader = LoaderProcess(self.folder / "loader", self._inside, self.centre.folder / "sites", environ)
        self.tables = Tables(self.postgres, self.doris)
        self._stack.callback(self.front.close)
        self._stack.callback(self.doris.close)
        self._stack.callback(self.loader.close)
        self._name_parts()
        self.revive("doris", "receiver", "outbox", "loader", "nginx")

    def _name_parts(self) -> None:
        servers: dict[str, Server] = {"kafka": self.kafka, "postgres": self.postgres, "doris": self.doris}
        for name, server in {**servers, "loader": self.loader}.items():
            self.parts[name] = Part(server.kill, server.start, server.wait_ready, partial(_runs, server))
        centre, front = self.centre, self.front
        self.parts["receiver"] = Part(centre.kill, centre.start, centre.wait_ready, centre.runs)
        self.parts["outbox"] = Part(
            partial(centre.kill, "sync"), partial(centre.start, "sync"), lambda: None, partial(centre.runs, "sync")
        )
        self.parts["nginx"] = Part(front.kill, front.start, front.wait_ready, lambda: front.program.running)

    def _start_boxes(self) -> None:
        for site, box in self.boxes.items():
            self._stack.enter_context(box)
            for room in self._rooms:
                self.parts[f"{site}/{room}"] = Part(
                    partial(box.kill, room),
                    partial(box.start, room),
                    partial(box.wait_ready, room),
                    partial(box.runs, room),
                )
        self.revive(*(f"{site}/{room}" for site in self.boxes for room in self._rooms))


def configured(file: Path, *words: str) -> str:
    """Run a verb within this process, with a configuration file; return what it prints."""
    done = CliRunner().invoke(cli, ["--config", str(file), *words])
    assert done.exit_code == 0, done.output
    return done.output


def _runs(server: Server) -> bool:
    return server.program.running
