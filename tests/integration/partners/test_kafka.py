"""The broker of the tests: what it keeps, what it loses, whom it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, TopicAuthorizationFailedError
from kafka.future import Future

from tests.builders.certificates import Authority
from tests.partners.fault_proxy import FaultProxy
from tests.partners.faults import PASS, STALL
from tests.partners.kafka import KafkaBroker
from tests.partners.kafka_client import client
from tests.partners.kafka_doors import Security

TOPIC = "dicom_state_queue"
SECONDS = 20.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    """A broker with an empty topic of three partitions."""
    with KafkaBroker(tmp_path / "kafka") as started:
        started.create_topics({TOPIC: 3})
        yield started


def producer(servers: str, **settings: Any) -> Any:
    """A producer that gives up soon; to be closed."""
    defaults = {"acks": "all", "allow_auto_create_topics": False, "max_block_ms": 5000}
    return client(KafkaProducer, servers, **{**defaults, **settings})


def send(servers: str, value: bytes, **settings: Any) -> None:
    """Send one message and wait for its acknowledgement."""
    with producer(servers, **settings) as sender:
        sender.send(TOPIC, value, key=b"key").get(SECONDS)


def values(broker: KafkaBroker) -> list[bytes | None]:
    """What lies in the topic."""
    return [message.value for message in broker.consume(TOPIC)]


def test_messages_are_read_back_with_keys_and_headers(broker: KafkaBroker) -> None:
    assert not broker.consume(TOPIC)
    with producer(broker.servers()) as sender:
        futures: list[Future] = [
            sender.send(TOPIC, b"%d" % number, key=b"same", headers=[("traceparent", b"00-1"), ("ce_id", b"7")])
            for number in range(5)
        ]
        assert [future.get(SECONDS).offset for future in futures] == [0, 1, 2, 3, 4]
    found = broker.consume(TOPIC)
    assert [message.value for message in found] == [b"0", b"1", b"2", b"3", b"4"]
    assert {(message.key, message.headers) for message in found} == {
        (b"same", (("traceparent", b"00-1"), ("ce_id", b"7")))
    }


def test_acknowledged_messages_outlive_a_kill_and_a_restart(broker: KafkaBroker) -> None:
    send(broker.servers(), b"before")
    broker.kill()
    broker.restart()
    send(broker.servers(), b"between")
    broker.restart()
    assert values(broker) == [b"before", b"between"]


def test_a_wiped_broker_is_a_new_one_at_the_old_address(broker: KafkaBroker) -> None:
    send(broker.servers(), b"lost")
    servers = broker.servers()
    broker.stop()
    broker.wipe()
    broker.restart()
    assert broker.servers() == servers
    broker.create_topics({TOPIC: 1})
    assert not values(broker)


def test_a_paused_broker_answers_when_it_goes_on(broker: KafkaBroker) -> None:
    with producer(broker.servers()) as sender:
        sender.send(TOPIC, b"1", key=b"key").get(SECONDS)
        broker.pause()
        late = sender.send(TOPIC, b"2", key=b"key")
        with pytest.raises(KafkaTimeoutError):
            late.get(0.5)
        broker.resume()
        late.get(SECONDS)
    assert values(broker) == [b"1", b"2"]


def test_a_topic_has_the_limit_it_was_created_with(broker: KafkaBroker) -> None:
    broker.create_topics({"small": 1}, max_message_bytes="2000")
    with producer(broker.servers()) as sender:
        sender.send("small", b"x").get(SECONDS)
        with pytest.raises(MessageSizeTooLargeError):
            sender.send("small", b"x" * 3000).get(SECONDS)


def test_clients_can_be_sent_through_a_proxy(tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path / "kafka")
    with FaultProxy(broker.ports["plain"]) as proxy:
        broker.advertise("plain", proxy.port)
        with broker, producer(f"127.0.0.1:{proxy.port}") as sender:
            broker.create_topics({TOPIC: 1})
            sender.send(TOPIC, b"1").get(SECONDS)
            proxy.set(STALL)
            late = sender.send(TOPIC, b"2")
            assert values(broker) == [b"1"]
            proxy.set(PASS)
            late.get(SECONDS)
            assert values(broker) == [b"1", b"2"]
            assert proxy.connections >= 1


def test_passwords_and_permissions_count(tmp_path: Path) -> None:
    security = Security(users={"box": "secret"}, authorize=True)
    by_name = {"security_protocol": "SASL_PLAINTEXT", "sasl_plain_username": "box", "sasl_plain_password": "secret"}
    with KafkaBroker(tmp_path / "kafka", doors=("sasl",), security=security) as broker:
        broker.create_topics({TOPIC: 1})
        servers = broker.servers("sasl")
        with pytest.raises(TopicAuthorizationFailedError):
            send(servers, b"forbidden", sasl_mechanism="PLAIN", **by_name)
        broker.allow("box", TOPIC, "WRITE", "DESCRIBE")
        send(servers, b"plain", sasl_mechanism="PLAIN", **by_name)
        with producer(servers, sasl_mechanism="SCRAM-SHA-256", **by_name) as sender:
            sender.send(TOPIC, b"scram").get(SECONDS)
            broker.deny("box", TOPIC, "WRITE")
            with pytest.raises(TopicAuthorizationFailedError):
                sender.send(TOPIC, b"forbidden").get(SECONDS)
        broker.set_password("box", "another")
        # With its versions given, the producer does not connect before the first message, and can be closed.
        with producer(servers, sasl_mechanism="SCRAM-SHA-256", api_version=(3, 9), **by_name) as sender:
            sender.config["max_block_ms"] = 500
            with pytest.raises(KafkaTimeoutError):
                sender.send(TOPIC, b"stranger")
        assert "Authentication failed" in broker.program.output()
        assert values(broker) == [b"plain", b"scram"]


def test_tls_asks_for_a_certificate_of_the_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("box")
    security = Security(users={"box": "secret"}, authority=authority, client_certificates=True)
    shown = {
        "ssl_cafile": str(authority.certificate),
        "ssl_certfile": str(pair.certificate),
        "ssl_keyfile": str(pair.key),
    }
    login = {"sasl_mechanism": "PLAIN", "sasl_plain_username": "box", "sasl_plain_password": "secret"}
    with KafkaBroker(tmp_path / "kafka", doors=("tls", "sasl_tls"), security=security) as broker:
        broker.create_topics({TOPIC: 1})
        send(broker.servers("tls"), b"tls", security_protocol="SSL", **shown)
        send(broker.servers("sasl_tls"), b"both", security_protocol="SASL_SSL", **shown, **login)
        assert values(broker) == [b"tls", b"both"]
