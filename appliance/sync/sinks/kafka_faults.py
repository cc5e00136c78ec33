"""Kafka's errors as a sink tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from appliance.errors import DeliveryError
from appliance.kafka_connection.faults import Blame, KafkaFault, judge
from appliance.sync.sinks.contract import Answer, Misconfigured, Rejected, Unreachable

KINDS: Mapping[Blame, type[Unreachable] | type[Misconfigured] | type[Rejected] | type[DeliveryError]] = (
    MappingProxyType({
        Blame.LINE: Unreachable,
        Blame.SETTINGS: Misconfigured,
        Blame.RECORD: Rejected,
        Blame.UNKNOWN: DeliveryError,
    })
)  # fmt: skip


def translate(error: BaseException) -> Answer:
    """Return what an error means for a row; None where its records are at the broker.

    An unknown one is a plain DeliveryError.
    """
    if isinstance(error, DeliveryError) and not isinstance(error, KafkaFault):
        return error
    fault = judge(error)
    return None if fault is None else KINDS[fault.blame](fault.message, hint=fault.hint)


def as_obstacle(error: BaseException) -> Unreachable | Misconfigured:
    """Return what an error met before any row was sent means: it is no row's fault, whatever it is."""
    fault = translate(error)
    if isinstance(fault, Unreachable | Misconfigured):
        return fault
    return Unreachable(fault.message if fault else "the broker did not answer as expected")
