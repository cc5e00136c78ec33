"""How a Kafka broker listens: its doors, who may pass, and the server.properties that say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.builders.certificates import Authority

PROTOCOLS = {"plain": "PLAINTEXT", "sasl": "SASL_PLAINTEXT", "tls": "SSL", "sasl_tls": "SASL_SSL"}
MODEST = {
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # One killed is let in again only when its last life has timed out; 9 s by default.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "250",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "log.cleaner.enable": "false",
}
STANDARD_AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"


@dataclass(frozen=True)
class Security:
    """Who may do what.

    `users` (name to password) may come by SASL, PLAIN or SCRAM-SHA-256. `authority` signs the
    certificate of the TLS doors; with `client_certificates` callers must show one it signed too.
    With `authorize`, whoever is not allowed by `KafkaBroker.allow` is refused; the tests' own door is not concerned.
    """

    users: Mapping[str, str] = field(default_factory=dict)
    authority: Authority | None = None
    client_certificates: bool = False
    authorize: bool = False


@dataclass(frozen=True)
class Layout:
    """A broker's place: data directory, ports by door (with `admin` and `controller`), ports it tells its clients."""

    data: Path
    ports: Mapping[str, int]
    advertised: Mapping[str, int]


def properties(layout: Layout, security: Security, overrides: Mapping[str, str]) -> str:
    """The text of server.properties for one node that is broker and controller."""
    settings = {**MODEST, **_place(layout), **_authentication(layout, security), **overrides}
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _place(layout: Layout) -> dict[str, str]:
    protocols = {"admin": "PLAINTEXT", "controller": "PLAINTEXT", **PROTOCOLS}
    doors = [door for door in layout.ports if door != "controller"]
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{layout.ports['controller']}",
        "listeners": ",".join(_listener(door, port) for door, port in layout.ports.items()),
        "advertised.listeners": ",".join(
            _listener(door, layout.advertised.get(door, layout.ports[door])) for door in doors
        ),
        "listener.security.protocol.map": ",".join(f"{_name(door)}:{protocols[door]}" for door in layout.ports),
        "inter.broker.listener.name": "ADMIN",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(layout.data),
    }


def _authentication(layout: Layout, security: Security) -> dict[str, str]:
    settings = {"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256"}
    for door in layout.ports:
        if door.startswith("sasl"):
            settings |= _sasl(door, security.users)
        if door.endswith("tls"):
            settings |= dict(_tls(door, layout, security))
    if security.authorize:
        settings["authorizer.class.name"] = STANDARD_AUTHORIZER
        settings["super.users"] = "User:ANONYMOUS"
    return settings


def _sasl(door: str, users: Mapping[str, str]) -> dict[str, str]:
    known = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    modules = f"listener.name.{door}"
    return {
        f"{modules}.plain.sasl.jaas.config": f"org.apache.kafka.common.security.plain.PlainLoginModule required {known};",
        f"{modules}.scram-sha-256.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }


def _tls(door: str, layout: Layout, security: Security) -> Iterator[tuple[str, str]]:
    assert security.authority is not None, f"the door {door} needs an authority"
    pair = security.authority.issue("kafka")
    store = layout.data.parent / f"{door}.pem"
    store.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
    prefix = f"listener.name.{door}.ssl"
    yield f"{prefix}.keystore.type", "PEM"
    yield f"{prefix}.keystore.location", str(store)
    yield f"{prefix}.truststore.type", "PEM"
    yield f"{prefix}.truststore.location", str(security.authority.certificate)
    yield f"{prefix}.client.auth", "required" if security.client_certificates else "none"


def _name(door: str) -> str:
    return door.upper()


def _listener(door: str, port: int) -> str:
    return f"{_name(door)}://127.0.0.1:{port}"
