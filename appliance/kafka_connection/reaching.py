"""Reaching a Kafka cluster: step by step, given up at any moment, telling why it failed.

The library connects inside the constructors of its producer and consumer, for half a minute without an
end and without a reason. Here the same steps are taken one by one, so that a wish to stop, a
wrong password or a missing topic is noticed at once. This package is the one place that
touches the library's inner parts; its version is pinned for that.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kafka import errors
from kafka.cluster import collect_hosts
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.protocol.metadata import MetadataRequest

from appliance.kafka_connection.faults import Blame, KafkaFault, judge
from appliance.kafka_connection.login import asks_for_login
from appliance.kafka_connection.sockets import open_transport

Stopping = Callable[[], bool]
Future = Any

SLICE_MS = 200
KNOCK_SECONDS = 3.0
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


@dataclass(frozen=True, slots=True)
class Reached:
    """Open connections that no producer or consumer uses yet; `partitions` counts those of each topic asked for."""

    client: Any
    manager: Any
    partitions: Mapping[str, int]

    def obstacle(self) -> KafkaFault | None:
        """Return what an administrator must mend before anything works, if that is known already.

        The library would try on for ever.
        """
        faults = (judge(failure) for failure in tuple(self.manager.failures.values()))
        return next((fault for fault in faults if fault is not None and fault.blame is Blame.SETTINGS), None)

    def trouble(self) -> KafkaFault | None:
        """Return why a broker is not reached at present, None while all those in use are."""
        found = self.obstacle()
        if found is not None:
            return found
        return next((_as_obstacle(failure) for failure in tuple(self.manager.failures.values())), None)

    def lost_topic(self, topics: Iterable[str]) -> str | None:
        """Return one of `topics` that the brokers do not know any more, as of their last word."""
        known = self.manager.cluster.topics(exclude_internal_topics=False)
        return next((topic for topic in sorted(topics) if topic not in known), None)


def reach(configs: Mapping[str, Any], topics: Iterable[str], *, seconds: float, stopping: Stopping) -> Reached:
    """Reach the cluster and check that the topics exist; within about `seconds`.

    `configs` are those of the producer or consumer that is to use the connections. Raises KafkaFault, of LINE on a
    wish to stop, too. Nothing is left open after an error.
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
        found = _checked(_ask(net, manager, names, deadline, stopping), names)
    except (KafkaFault, errors.KafkaError, ValueError, RuntimeError) as error:
        client.close()
        raise _explained(_as_obstacle(error), configs, stopping) from error
    except BaseException:
        client.close()
        raise
    return Reached(client, manager, found)


def _explained(fault: KafkaFault, configs: Mapping[str, Any], stopping: Stopping) -> KafkaFault:
    """Return what is behind a broker that hangs up on us: perhaps it wants a login that we do not have."""
    anonymous = not configs["security_protocol"].startswith("SASL")
    if fault.blame is Blame.SETTINGS or not anonymous or stopping():
        return fault
    addresses = ((host, port) for host, port, _ in collect_hosts(configs["bootstrap_servers"]))
    if any(asks_for_login(address, configs.get("ssl_context"), KNOCK_SECONDS) for address in addresses):
        hint = "set security to SASL_SSL or SASL_PLAINTEXT, with username and password_file"
        message = "the broker asks for a login, and the setting `security` has none"
        return KafkaFault(message, hint=hint, blame=Blame.SETTINGS)
    return fault


def _knock(servers: Sequence[str], deadline: float, stopping: Stopping) -> None:
    """See whether any server accepts a connection: the library leaves a socket behind for each that does not."""
    try:
        addresses = [(host, port) for host, port, _ in collect_hosts(servers)]
    except ValueError:
        raise KafkaFault("bootstrap_servers cannot be read", hint="each is host:port", blame=Blame.SETTINGS) from None
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
    message = f"no broker accepts a connection ({', '.join(reasons) or 'not tried'})"
    raise KafkaFault(message, hint=hint, blame=Blame.LINE)


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
            raise KafkaFault("the room is stopping", blame=Blame.LINE)
        if time.monotonic() > deadline or servers <= set(manager.failures):
            break
    if future.succeeded():
        return future.value
    failures = [*manager.failures.values(), future.exception or errors.KafkaTimeoutError()]
    faults = [_as_obstacle(failure) for failure in failures]
    raise next((fault for fault in faults if fault.blame is Blame.SETTINGS), faults[0])


def _as_obstacle(error: BaseException) -> KafkaFault:
    """Return a fault met before any record was on its way: it is none of a record, whatever it is."""
    fault = judge(error)
    if fault is not None and fault.blame in (Blame.LINE, Blame.SETTINGS):
        return fault
    return KafkaFault(fault.message if fault else "the broker did not answer as expected", blame=Blame.LINE)


def _checked(answer: Any, names: tuple[str, ...]) -> dict[str, int]:
    """Return how many partitions each topic has. Raises KafkaFault for one that cannot be used."""
    found = {topic.name: topic for topic in answer.topics}
    codes = {name: found[name].error_code if name in found else UNKNOWN_TOPIC for name in names}
    missing = [name for name, code in codes.items() if code == UNKNOWN_TOPIC]
    if missing:
        hint = "create it with kafka-topics.sh --create --topic NAME --partitions N; see docs/forwarding-kafka.md"
        raise KafkaFault(f"the broker has no topic {', '.join(missing)}", hint=hint, blame=Blame.SETTINGS)
    for name, code in codes.items():
        if code:
            fault = _as_obstacle(errors.for_code(code)(name))
            raise KafkaFault(f"topic {name}: {fault.message}", hint=fault.hint, blame=fault.blame)
    return {name: len(found[name].partitions) for name in names}
