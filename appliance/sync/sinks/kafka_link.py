"""The connection to a Kafka cluster: made step by step, given up at any moment, telling why it failed.

The library makes its connection inside the producer's constructor, for half a minute without an
end and without a reason. Here the same steps are taken one by one, so that a wish to stop, a
wrong password or a missing topic is noticed at once. It is the one place that touches the
library's inner parts; its version is pinned for that.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from kafka import KafkaProducer, errors
from kafka.cluster import collect_hosts
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.protocol.metadata import MetadataRequest

from appliance.sync.sinks.contract import Answer, Misconfigured, Unreachable
from appliance.sync.sinks.kafka_faults import translate
from appliance.sync.sinks.kafka_login import asks_for_login
from appliance.sync.sinks.kafka_sockets import open_transport

Stopping = Callable[[], bool]
Future = Any

SLICE_MS = 200
KNOCK_SECONDS = 3.0
JOIN_SECONDS = 1.0
ONE_PARTITION = "upstream"
UNKNOWN_TOPIC = errors.UnknownTopicOrPartitionError.errno


class _Manager(KafkaConnectionManager):  # type: ignore[misc]  # the library has no types
    """The library's connections, remembering each node's last failure until it is reached again."""

    def __init__(self, net: Any, **configs: Any) -> None:
        super().__init__(net, **configs)
        self.failures: dict[Any, BaseException] = {}
        # The library asks brokers to make missing topics, and offers no setting that reaches this place.
        self.cluster.config["allow_auto_create_topics"] = False

    def get_connection(self, node_id: Any, **options: Any) -> Any:
        """Return the connection to a node, as the library does, and watch what becomes of it."""
        connection = super().get_connection(node_id, **options)
        connection.init_future.add_errback(partial(self.failures.__setitem__, node_id))
        connection.init_future.add_callback(lambda _: self.failures.pop(node_id, None))
        return connection

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        tls = self.config["ssl_context"] if self.ssl_enabled else None
        return await open_transport(self._net, (node.host, node.port), self.config["socket_options"], tls, timeout_at)


class Link:
    """A producer with its connections. Used by one thread; the library's own thread does the sending."""

    def __init__(self, producer: Any, manager: Any, topics: Iterable[str]) -> None:
        """Take over a connected producer; `connect` makes one."""
        self._producer = producer
        self._manager = manager
        self._topics = frozenset(topics)

    def send(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> Future:
        """Hand a message to the sending thread; the future tells when it is durable at the broker.

        Raises errors of the library: MessageSizeTooLargeError at once for what no request can hold.
        """
        return self._producer.send(topic, key=key, value=value, headers=headers)

    def obstacle(self) -> Misconfigured | None:
        """Return what an administrator must mend before anything can be sent, if that is known already.

        The sending thread would try on until the delivery timeout.
        """
        for failure in tuple(self._manager.failures.values()):
            fault = translate(failure)
            if isinstance(fault, Misconfigured):
                return fault
        return None

    def lost_topic(self) -> str | None:
        """Return a topic that the brokers do not know any more, as of their last word."""
        known = self._manager.cluster.topics(exclude_internal_topics=False)
        return next((topic for topic in sorted(self._topics) if topic not in known), None)

    def close(self) -> None:
        """Give up whatever was not acknowledged, end the sending thread, close its sockets; within a second or so."""
        producer = self._producer
        # close() of the library waits for every message first, and fails when they do not end in time.
        producer._unregister_cleanup()
        # The thread may be waiting for a broker: it notices its end when its connections are closed, by itself.
        with suppress(RuntimeError):  # it has ended already
            self._manager.call_soon(self._manager.close)
        producer._sender.force_close()
        producer._sender.join(JOIN_SECONDS)
        producer._closed = True


def connect(
    configs: Mapping[str, Any], topics: Iterable[str], *, profile: str, seconds: float, stopping: Stopping
) -> Link:
    """Reach the cluster, check the topics, return a producer; within about `seconds`.

    `configs` are KafkaProducer's. Raises Unreachable, also on a wish to stop, and Misconfigured.
    Nothing is left open after an error.
    """
    names = tuple(topics)
    deadline = time.monotonic() + seconds
    _knock(configs["bootstrap_servers"], deadline, stopping)
    net = NetworkSelector(**configs)
    try:
        manager = _Manager(net, **configs)
    except BaseException:
        net.close()
        raise
    client = KafkaNetClient(net=net, manager=manager)
    try:
        _await(net, manager, manager.bootstrap_async(round(seconds * 1000)), deadline, stopping)
        _check_topics(_ask(net, manager, names, deadline, stopping), names, profile)
        producer = KafkaProducer(**configs, kafka_client=lambda **_: client)
    except (Unreachable, errors.KafkaError, ValueError, RuntimeError) as error:
        client.close()
        raise _explained(_as_obstacle(translate(error)), configs, stopping) from error
    except BaseException:
        client.close()
        raise
    return Link(producer, manager, names)


def _explained(
    fault: Unreachable | Misconfigured, configs: Mapping[str, Any], stopping: Stopping
) -> Unreachable | Misconfigured:
    """Return what is behind a broker that hangs up on us: perhaps it wants a login that we do not have."""
    anonymous = not configs["security_protocol"].startswith("SASL")
    if isinstance(fault, Misconfigured) or not anonymous or stopping():
        return fault
    addresses = ((host, port) for host, port, _ in collect_hosts(configs["bootstrap_servers"]))
    if any(asks_for_login(address, configs.get("ssl_context"), KNOCK_SECONDS) for address in addresses):
        hint = "set the sink's security to SASL_SSL or SASL_PLAINTEXT, with username and password_file"
        return Misconfigured("the broker asks for a login, and the sink's security has none", hint=hint)
    return fault


def _knock(servers: Sequence[str], deadline: float, stopping: Stopping) -> None:
    """See whether any server accepts a connection: the library leaves a socket behind for each that does not."""
    try:
        addresses = [(host, port) for host, port, _ in collect_hosts(servers)]
    except ValueError:
        raise Misconfigured("bootstrap_servers cannot be read", hint="each is host:port") from None
    reasons = []
    for address in addresses:
        if stopping() or time.monotonic() > deadline:
            break
        try:
            socket.create_connection(address, timeout=KNOCK_SECONDS).close()
            return
        except OSError as error:
            reasons.append(f"{address[0]}:{address[1]} {error.strerror or type(error).__name__}")
    hint = "check that the broker runs and that the line to it is up"
    raise Unreachable(f"no broker accepts a connection ({', '.join(reasons) or 'not tried'})", hint=hint)


def _ask(net: Any, manager: Any, names: tuple[str, ...], deadline: float, stopping: Stopping) -> Any:
    """Return the brokers' answer about the topics; the producer knows it too from now on."""
    wanted = [MetadataRequest.MetadataRequestTopic(name=name) for name in names]
    request = MetadataRequest(
        topics=wanted,
        allow_auto_topic_creation=False,
        include_cluster_authorized_operations=False,
        include_topic_authorized_operations=False,
    )
    asked = manager.call_soon(lambda: manager.send(request))
    answer = _await(net, manager, asked, deadline, stopping)
    for name in names:
        manager.cluster.add_topic(name)
    manager.cluster.update_metadata(answer)
    return answer


def _await(net: Any, manager: Any, future: Future, deadline: float, stopping: Stopping) -> Any:
    """Drive the connections until the future is done; the reason of a failure is looked for in them."""
    servers = {broker.node_id for broker in manager.cluster.bootstrap_brokers()}
    while not future.is_done:
        net.poll(timeout_ms=SLICE_MS, future=future)
        if stopping():
            raise Unreachable("the room is stopping")
        if time.monotonic() > deadline or servers <= set(manager.failures):
            break
    if future.succeeded():
        return future.value
    failures = [*manager.failures.values(), future.exception or errors.KafkaTimeoutError()]
    faults = [_as_obstacle(translate(failure)) for failure in failures]
    raise next((fault for fault in faults if isinstance(fault, Misconfigured)), faults[0])


def _as_obstacle(fault: Answer) -> Unreachable | Misconfigured:
    """Return a fault met before any row was sent: it is no row's, whatever it is."""
    if isinstance(fault, Unreachable | Misconfigured):
        return fault
    return Unreachable(fault.message if fault else "the broker did not answer as expected")


def _check_topics(answer: Any, names: tuple[str, ...], profile: str) -> None:
    found = {topic.name: topic for topic in answer.topics}
    codes = {name: found[name].error_code if name in found else UNKNOWN_TOPIC for name in names}
    missing = [name for name, code in codes.items() if code == UNKNOWN_TOPIC]
    if missing:
        hint = "create it with kafka-topics.sh --create --topic NAME --partitions N; see docs/forwarding-kafka.md"
        raise Misconfigured(f"the broker has no topic {', '.join(missing)}", hint=hint)
    for name, code in codes.items():
        if code:
            fault = _as_obstacle(translate(errors.for_code(code)(name)))
            raise type(fault)(f"topic {name}: {fault.message}", hint=fault.hint)
        if profile == ONE_PARTITION and len(found[name].partitions) != 1:
            hint = "its readers look at partition 0 only: create it anew with one partition"
            raise Misconfigured(f"topic {name} has several partitions, which the profile {profile} forbids", hint=hint)
