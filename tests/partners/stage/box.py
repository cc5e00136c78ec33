"""A box of the stage: door and sync room as processes, its lines to the centre through proxies that can be cut."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from appliance.archive.database import Database
from appliance.archive.gaps import findings
from appliance.archive.room import Archive
from appliance.cli.main import cli
from tests.archives import small_settings
from tests.builders.certificates import Pair
from tests.partners.appliance import Appliance
from tests.partners.fault_proxy import FaultProxy

CENTRE, RECORDS = "centre", "records"
QUICK = {
    "APPLIANCE__SYNC__BACKOFF_BASE": "0.1",
    "APPLIANCE__SYNC__BACKOFF_CAP": "1",
    "APPLIANCE__SCP__MAX_ASSOCIATIONS": "8",
}


@dataclass(frozen=True)
class Identity:
    """Who a box is: site and tenant, its client certificate, the key pair that signs its records."""

    site: str
    tenant: str
    pair: Pair
    signing: Pair


@dataclass(frozen=True)
class Lines:
    """Where a box sends: Kafka's bootstrap server, the authority of the centre's server, the key of its receipts."""

    kafka: str
    authority: Path
    receipt_key: Path


class StageBox(Appliance):
    """One box. `line` is its own way to nginx; that to Kafka it shares with the others."""

    def __init__(self, home: Path, who: Identity, lines: Lines, line: FaultProxy, **centre: Any) -> None:
        """Nothing is created or started yet. `centre` are further keys of its STOW sink."""
        self.who, self.line = who, line
        self.sinks = {RECORDS: _records(who, lines), CENTRE: _centre(who, lines, line) | centre}
        super().__init__(home, environ_of(who, self.sinks))

    def initialise(self) -> None:
        """Run `appliance init`, within this process."""
        done = CliRunner().invoke(
            cli, ["init"], env={k: v for k, v in self._environ.items() if k.startswith("APPLIANCE")}
        )
        assert done.exit_code == 0, done.output

    def undelivered(self) -> int:
        """Deliveries that are not where they belong yet, dead ones too."""
        return int(self.ask("SELECT count(*) FROM delivery WHERE state <> 'delivered'")[0][0])

    def cursor(self) -> int:
        """The number of the last receipt that was taken over."""
        found = self.ask("SELECT after FROM receipt_cursor WHERE sink = ?", CENTRE)
        return int(found[0][0]) if found else 0

    def ask(self, query: str, *values: Any) -> list[Any]:
        """What a query of its index finds, whether its rooms run or not."""
        return asked(self.home, query, *values)

    @contextmanager
    def opened(self) -> Iterator[Archive]:
        """Its archive, as one more process would open it."""
        archive = Archive.open(small_settings(self.home, tenant=self.who.tenant, site=self.who.site), "test")
        try:
            yield archive
        finally:
            archive.close()

    def missing(self) -> dict[str, list[str]]:
        """What is not confirmed, by study; {} when the chain of custody of everything is whole."""
        with self.opened() as archive:
            studies = [row[0] for row in self.ask("SELECT DISTINCT study_uid FROM version")]
            found = {uid: [gap.gap.what for gap in findings(archive.chains.of(uid))] for uid in studies}
        return {uid: gaps for uid, gaps in found.items() if gaps}

    def exported(self) -> list[dict[str, Any]]:
        """What `appliance custody export` writes of all times."""
        text = self.command("custody", "export", "--since", "2000-01-01", "--format", "json").stdout
        return [json.loads(line) for line in text.splitlines()]


def asked(home: Path, query: str, *values: Any) -> list[Any]:
    """What a query of a home's index finds."""
    database = Database(home / "index.db")
    try:
        with database.read() as cx:
            return list(cx.execute(query, values).fetchall())
    finally:
        database.close()


def environ_of(who: Identity, sinks: Mapping[str, Any]) -> dict[str, str]:
    """The variables of its processes."""
    own = {"APPLIANCE__SITE__ID": who.site, "APPLIANCE__SITE__TENANT": who.tenant}
    return {**QUICK, **own, "APPLIANCE__SYNC__SINKS": json.dumps(sinks)}


def _records(who: Identity, lines: Lines) -> dict[str, Any]:
    return {
        "kind": "kafka",
        "bootstrap_servers": [lines.kafka],
        "signature_key_file": str(who.signing.key),
        "delivery_timeout": 5,
    }


def _centre(who: Identity, lines: Lines, line: FaultProxy) -> dict[str, Any]:
    return {
        "kind": "stow",
        "url": f"https://127.0.0.1:{line.port}/dicom-web",
        "tls_ca": str(lines.authority),
        "tls_certificate": str(who.pair.certificate),
        "tls_key": str(who.pair.key),
        "verify": "receipts",
        "receipt_key_file": str(lines.receipt_key),
        "receipts_seconds": 1,
        "connect_timeout": 3,
        "read_timeout": 10,
    }
