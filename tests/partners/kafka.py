"""A real Apache Kafka: one node, KRaft, on ports and data of its own."""

from __future__ import annotations

import base64
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError

from tests.partners import kafka_jars
from tests.partners.kafka_client import client, listens
from tests.partners.kafka_doors import PROTOCOLS, Layout, Security, properties
from tests.partners.kafka_messages import Message, consume
from tests.partners.lasting_ports import lasting_ports
from tests.partners.program import Program, Server, executable

READY_SECONDS = 60.0
ANONYMOUS = Security()
# Serial collection and the quick compiler only: brokers of tests live for seconds.
JVM = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
LOGGING = """log4j.rootLogger=INFO, out
log4j.logger.kafka.server.KafkaConfig=WARN
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %m (%c)%n
"""


class KafkaBroker(Server):
    """A broker on 127.0.0.1.

    `doors` are those of PROTOCOLS: plain, sasl, tls, sasl_tls, each on a port of its own that it
    keeps over restarts. The tests' own calls use one more door, open to them alone. `overrides`
    are lines of server.properties. Topics exist only when created: nothing makes them by itself.
    """

    ready_seconds = READY_SECONDS

    def __init__(
        self,
        folder: Path,
        *,
        doors: Sequence[str] = ("plain",),
        security: Security = ANONYMOUS,
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        """Choose ports; nothing is created or started yet."""
        assert set(doors) <= PROTOCOLS.keys(), doors
        names = ("admin", "controller", *doors)
        self.ports = dict(zip(names, lasting_ports(len(names)), strict=True))
        self._folder, self._security, self._overrides = folder, security, dict(overrides or {})
        self._advertised: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._java = [executable("java", "default-jre-headless"), *JVM]
        self._java.append(f"-Dlog4j.configuration=file:{folder / 'log4j.properties'}")
        self._environ = {"CLASSPATH": f"{kafka_jars.jars()}/*"}
        command = [*self._java, "kafka.Kafka", str(self._properties)]
        self.program = Program(command, folder / "kafka.log", self._environ)

    def servers(self, door: str = "plain") -> str:
        """The bootstrap server of a door, as clients are told it."""
        return f"127.0.0.1:{self._advertised.get(door, self.ports[door])}"

    def advertise(self, door: str, port: int) -> None:
        """Send the clients of a door to another port, a proxy's, from the next start on."""
        self._advertised[door] = port

    def start(self) -> Self:
        """Format the storage where there is none, and start; does not wait."""
        if not self._data.exists():
            self._format()
        self._write_properties()
        return super().start()

    def wipe(self) -> None:
        """Throw its data away, while it is down: the next start is a new cluster on the same ports.

        Topics, producer ids, SCRAM passwords and permissions are gone (users come back with the format).
        """
        assert not self.program.running, "stop or kill it first"
        shutil.rmtree(self._data)

    def create_topics(self, topics: Mapping[str, int], **configs: str) -> None:
        """Create topics, name to number of partitions, and wait until they have leaders.

        `configs` count for all of them, an underscore for each dot: max_message_bytes="2000".
        """
        settings = {name.replace("_", "."): value for name, value in configs.items()}
        wanted = {
            name: {"num_partitions": count, "replication_factor": 1, "configs": settings}
            for name, count in topics.items()
        }
        with self.admin() as admin:
            admin.create_topics(wanted, wait_for_metadata=True)

    def delete_topics(self, *topics: str) -> None:
        """Delete topics."""
        with self.admin() as admin:
            admin.delete_topics(list(topics))

    def allow(self, user: str, topic: str, *operations: str) -> None:
        """Let a user do things to a topic (WRITE, DESCRIBE, ...); counts only with Security.authorize."""
        self._permit(user, topic, operations, ACLPermissionType.ALLOW)

    def deny(self, user: str, topic: str, *operations: str) -> None:
        """Forbid a user things; stronger than what is allowed."""
        self._permit(user, topic, operations, ACLPermissionType.DENY)

    def set_password(self, user: str, password: str) -> None:
        """Change the SCRAM password of a user of a running broker; the one for PLAIN stays."""
        change = UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_256, password)
        with self.admin() as admin:
            failures = {who: why for who, why in admin.alter_user_scram_credentials([change]).items() if why}
        assert not failures, failures

    def consume(self, topic: str, seconds: float = 10.0) -> list[Message]:
        """Everything a topic holds now."""
        return consume(self.servers("admin"), topic, seconds)

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """An administrator's client, by the tests' own door."""
        with client(KafkaAdminClient, self.servers("admin")) as admin:
            yield admin

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    def _write_properties(self) -> None:
        layout = Layout(self._data, self.ports, self._advertised)
        self._properties.write_text(properties(layout, self._security, self._overrides))
        (self._folder / "log4j.properties").write_text(LOGGING)

    def _format(self) -> None:
        self._write_properties()
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        users = [
            f"--add-scram=SCRAM-SHA-256=[name={name},password={password}]"
            for name, password in self._security.users.items()
        ]
        command = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(self._properties)]
        formatting = Program([*self._java, *command, *users], self._folder / "format.log", self._environ)
        assert formatting.run(READY_SECONDS) == 0, formatting.output()

    def answers(self) -> bool:
        """Whether a client is told of a broker that serves."""
        if not listens(self.ports["admin"]):
            return False
        with suppress(KafkaError), client(KafkaAdminClient, self.servers("admin"), 1.0) as admin:
            return bool(admin.describe_cluster()["brokers"])
        return False

    def _permit(self, user: str, topic: str, operations: Sequence[str], kind: ACLPermissionType) -> None:
        rules = [
            ACL(f"User:{user}", "*", ACLOperation[name], kind, ResourcePattern(ResourceType.TOPIC, topic))
            for name in operations
        ]
        with self.admin() as admin:
            assert not admin.create_acls(rules)["failed"]
