"""The Kafka sink at doors that ask who it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from appliance.kafka_connection.login import asks_for_login
from appliance.sync.probing import probe
from appliance.sync.sinks.contract import Misconfigured, Unreachable
from appliance.sync.sinks.kafka_options import KafkaOptions
from tests.builders.certificates import Authority
from tests.integration.sync.kafka_stage import Stage
from tests.integration.sync.records import texts
from tests.partners.kafka import KafkaBroker
from tests.partners.kafka_doors import Security
from tests.sockets import connections_to
from tests.waiting import wait_until

USER, PASSWORD = "edge", "a-long-secret"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[KafkaBroker]:
    """A broker with every door; whoever logs in needs permissions."""
    security = Security({USER: PASSWORD}, authority, client_certificates=True, authorize=True)
    with KafkaBroker(tmp_path_factory.mktemp("kafka"), doors=("plain", "sasl", "tls"), security=security) as found:
        yield found


@pytest.fixture
def stage(broker: KafkaBroker, tmp_path: Path) -> Iterator[Stage]:
    found = Stage(broker, tmp_path)
    found.create()
    yield found
    found.close()


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return path


def test_a_wrong_password_pauses_and_the_right_one_mends_it(stage: Stage, password: Path) -> None:
    stage.broker.allow(USER, stage.topics["state"], "WRITE", "DESCRIBE")
    stage.broker.allow(USER, stage.topics["image"], "WRITE", "DESCRIBE")
    stage.door = "sasl"
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        password.write_text("not-" + PASSWORD)
        rows = stage.rows(4)
        login = {"security": "SASL_PLAINTEXT", "sasl_mechanism": mechanism, "username": USER}
        sink = stage.sink(**login, password_file=password)
        answers = sink.deliver(rows)
        assert {type(answer) for answer in answers.values()} == {Misconfigured}
        assert "rejects the login" in texts(answers.values())
        assert PASSWORD not in texts(answers.values())
        sink.close()
        assert not connections_to(stage.broker.ports["sasl"])
        password.write_text(PASSWORD + "\n")
        assert set(sink.deliver(rows).values()) == {None}
        sink.close()


def test_a_mechanism_the_broker_does_not_offer_pauses(stage: Stage, password: Path) -> None:
    stage.door = "sasl"
    login = {"security": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512", "username": USER}
    (answer,) = stage.sink(**login, password_file=password).deliver([stage.make.state()]).values()
    assert isinstance(answer, Misconfigured)


def test_a_password_changed_at_the_broker_pauses_when_it_next_asks(stage: Stage, password: Path) -> None:
    for kind in ("state", "image"):
        stage.broker.allow(USER, stage.topics[kind], "WRITE", "DESCRIBE")
    stage.door = "sasl"
    sink = stage.sink(
        security="SASL_PLAINTEXT", sasl_mechanism="SCRAM-SHA-256", username=USER, password_file=password,
        delivery_timeout=20.0,
    )  # fmt: skip
    stage.deliver(sink, stage.rows(4))
    try:
        stage.broker.set_password(USER, "another")
        stage.broker.restart()
        rows = stage.rows(4)
        answers = sink.deliver(rows)
        assert {type(answer) for answer in answers.values()} == {Misconfigured}, texts(answers.values())
    finally:
        stage.broker.set_password(USER, PASSWORD)
    assert set(sink.deliver(rows).values()) == {None}


def test_missing_permissions_pause_until_they_are_given(stage: Stage, password: Path) -> None:
    stage.door = "sasl"
    login = {"security": "SASL_PLAINTEXT", "username": USER, "password_file": password}
    sink, rows = stage.sink(**login), stage.rows()
    assert {type(answer) for answer in sink.deliver(rows).values()} == {Misconfigured}
    for kind in ("state", "image"):
        stage.broker.allow(USER, stage.topics[kind], "DESCRIBE")
    answers = sink.deliver(rows)
    assert {type(answer) for answer in answers.values()} == {Misconfigured}
    assert "permit" in texts(answers.values())
    for kind in ("state", "image"):
        stage.broker.allow(USER, stage.topics[kind], "WRITE")
    assert set(sink.deliver(rows).values()) == {None}
    stage.assert_holds(rows)


def test_tls_demands_the_right_authority_on_both_sides(stage: Stage, authority: Authority, tmp_path: Path) -> None:
    own = authority.issue("box")
    stranger = Authority(tmp_path, "Stranger")
    other = stranger.issue("stranger")
    rows = [stage.make.state()]
    stage.door = "tls"
    wrong: list[dict[str, Any]] = [
        {"security": "SSL", "tls_ca": stranger.certificate, "tls_certificate": own.certificate, "tls_key": own.key},
        {"security": "SSL", "tls_ca": authority.certificate},
        {
            "security": "SSL",
            "tls_ca": authority.certificate,
            "tls_certificate": other.certificate,
            "tls_key": other.key,
        },
        {"security": "SSL", "tls_ca": tmp_path / "missing.pem"},
    ]
    for options in wrong:
        sink = stage.sink(**options)
        (answer,) = sink.deliver(rows).values()
        assert isinstance(answer, Misconfigured), texts([answer])
        sink.close()
        assert not connections_to(stage.broker.ports["tls"])
    right = {"tls_ca": authority.certificate, "tls_certificate": own.certificate, "tls_key": own.key}
    for kind in ("state", "image"):
        stage.broker.allow("CN=box", stage.topics[kind], "WRITE", "DESCRIBE")
    assert set(stage.sink(security="SSL", **right).deliver(rows).values()) == {None}


def test_a_door_that_asks_for_a_login_is_told_from_a_broker_that_is_ill(stage: Stage) -> None:
    stage.door = "sasl"
    (answer,) = stage.sink(security="PLAINTEXT").deliver([stage.make.state()]).values()
    assert isinstance(answer, Misconfigured)
    assert "asks for a login" in answer.message
    assert "username" in answer.hint
    port = {door: ("127.0.0.1", stage.broker.ports[door]) for door in ("plain", "sasl", "tls")}
    assert asks_for_login(port["sasl"], None, 3.0)
    assert not asks_for_login(port["plain"], None, 3.0)
    assert not asks_for_login(port["tls"], None, 1.0)


@pytest.mark.parametrize(("door", "security"), [("plain", "SSL"), ("tls", "PLAINTEXT"), ("sasl", "PLAINTEXT")])
def test_the_wrong_kind_of_door_is_an_obstacle_that_says_so(stage: Stage, door: str, security: str) -> None:
    stage.door = door
    (answer,) = stage.sink(security=security).deliver([stage.make.state()]).values()
    assert isinstance(answer, Misconfigured | Unreachable)
    assert "security" in answer.hint or "line" in answer.hint


def test_a_probe_tells_what_a_delivery_would_meet_and_leaves_nothing(stage: Stage, password: Path) -> None:
    for kind in ("state", "image"):
        stage.broker.allow(USER, stage.topics[kind], "WRITE", "DESCRIBE")
    told = {"topics": stage.topics, "access_records": False, "transcode_records": False}
    login = {"security": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "username": USER, "password_file": password}
    values: dict[str, Any] = {**told, **login}
    options = KafkaOptions((stage.broker.servers("sasl"),), "site-1", **values)

    def let_in() -> bool:
        with suppress(Misconfigured):
            return probe(options) == {}
        return False

    wait_until(let_in, 10)  # the brokers tell each other of permissions
    with pytest.raises(Misconfigured, match="does not permit it"):
        probe(dataclasses.replace(options, topics={**stage.topics, "image": "nowhere"}))
    password.write_text("not-" + PASSWORD)
    with pytest.raises(Misconfigured, match="rejects the login"):
        probe(options)
    assert not connections_to(stage.broker.ports["sasl"])
    assert stage.found("state") == stage.found("image") == []
