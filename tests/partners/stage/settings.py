"""The centre's configuration files: one for the receiver, one for whoever sets everything up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.partners.doris.double import USERS
from tests.partners.loader import of_postgres
from tests.partners.postgres import ADMINISTRATOR, Postgres

DATABASE, ROLE = "dicom", "appliance"
PARTITIONS = 3
RECEIVER = """
home = "{folder}/home"
[site]
id = "centre-1"
tenant = "central"
[archive]
reserve_bytes = 1048576
ballast_bytes = 1048576
[web]
login = "open"
[sync]
poll_seconds = 0.1
backoff_base = 0.1
backoff_cap = 1
[sync.sinks.records]
kind = "kafka"
profile = "receiver"
bootstrap_servers = ["{broker}"]
signature_key_file = "{records_key}"
delivery_timeout = 5
[central]
registry = "{folder}/sites"
signature_key_file = "{receipts_key}"
[central.receiver]
port = {port}
socket = "{folder}/receiver.sock"
import_seconds = 0.2
"""
SERVERS = """
[central.kafka]
bootstrap_servers = ["{broker}"]
[central.topics]
partitions = {partitions}
replication = 1
[central.doris]
buckets = 4
replication = 1
[central.postgres]
host = "127.0.0.1"
port = {postgres_port}
database = "{database}"
user = "{user}"
password_file = "{password_file}"
connect_timeout = 2
"""


@dataclass(frozen=True)
class Place:
    """Where the receiver lives, and the files of its private keys."""

    folder: Path
    port: int
    records_key: Path
    receipts_key: Path


def receiver_text(place: Place, broker: str, server: Postgres, user: str, password: Path) -> str:
    """A configuration of the receiver, with the servers as `user` reaches them."""
    text = RECEIVER.format(
        folder=place.folder, port=place.port, broker=broker, records_key=place.records_key,
        receipts_key=place.receipts_key,
    )  # fmt: skip
    return text + SERVERS.format(
        broker=broker, partitions=PARTITIONS, postgres_port=server.port, database=DATABASE, user=user,
        password_file=password,
    )  # fmt: skip


def administrator_text(place: Place, broker: str, server: Postgres) -> str:
    """The same for whoever may create topics and tables."""
    return receiver_text(place, broker, server, ADMINISTRATOR, server.password_file)


def loader_environ(server: Postgres, password: Path, doris_url: str, doris_password: Path) -> dict[str, str]:
    """The variables of the loader beyond broker and registry."""
    from appliance.central.postgres_link import PostgresSettings

    settings = PostgresSettings(
        "127.0.0.1", server.port, DATABASE, ROLE, password,
        tls="prefer", connect_timeout=2, statement_timeout=10.0, lock_timeout=5.0,
    )  # fmt: skip
    ((user, _),) = USERS.items()
    return {
        **of_postgres(settings),
        "APPLIANCE__CENTRAL__LOADER__IMAGE_STORE": "doris",
        "APPLIANCE__CENTRAL__DORIS__URL": doris_url,
        "APPLIANCE__CENTRAL__DORIS__DATABASE": DATABASE,
        "APPLIANCE__CENTRAL__DORIS__USER": user,
        "APPLIANCE__CENTRAL__DORIS__PASSWORD_FILE": str(doris_password),
        "APPLIANCE__CENTRAL__DORIS__CONNECT_TIMEOUT": "2",
        "APPLIANCE__CENTRAL__DORIS__LABEL_WAIT": "3",
    }
