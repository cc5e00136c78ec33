"""Whose fault a Kafka error is, as the design's table says it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from kafka import errors

from appliance.errors import DeliveryError
from appliance.kafka_connection.faults import FAULTS
from appliance.sync.sinks.contract import Misconfigured, Rejected, Unreachable
from appliance.sync.sinks.kafka_faults import translate

GUIDE = Path(__file__).parents[4] / "docs" / "forwarding-kafka.md"
SECRET = "Quagga^Zebra"

WAIT = (
    errors.KafkaTimeoutError, errors.RequestTimedOutError, errors.KafkaConnectionError, errors.NetworkExceptionError,
    errors.NotLeaderForPartitionError, errors.LeaderNotAvailableError, errors.FencedLeaderEpochError,
    errors.NotEnoughReplicasError, errors.NotEnoughReplicasAfterAppendError, errors.ThrottlingQuotaExceededError,
    errors.UnknownProducerIdError, errors.OutOfOrderSequenceNumberError, errors.InvalidProducerEpochError,
    errors.ProducerFencedError, errors.KafkaStorageError, errors.CoordinatorLoadInProgressError,
)  # fmt: skip
PAUSE = (
    errors.SaslAuthenticationFailedError, errors.UnsupportedSaslMechanismError, errors.TopicAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError, errors.UnknownTopicOrPartitionError, errors.InvalidTopicError,
    errors.UnsupportedVersionError, errors.UnsupportedCompressionTypeError, errors.PolicyViolationError,
    errors.InvalidRequiredAcksError, errors.InvalidTimestampError,
)  # fmt: skip
ROW = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError, errors.InvalidRecordError)


@pytest.mark.parametrize(
    ("kind", "error"), [(k, e) for k, es in ((Unreachable, WAIT), (Misconfigured, PAUSE), (Rejected, ROW)) for e in es]
)
def test_each_error_stands_in_its_column_and_keeps_its_text_to_itself(
    kind: type[DeliveryError], error: type[Exception]
) -> None:
    answer = translate(error(SECRET))
    assert type(answer) is kind
    assert answer is not None
    assert "Quagga" not in answer.message + answer.hint
    assert error.__name__ in answer.message


def test_every_error_that_may_be_tried_again_waits_unless_the_table_says_more() -> None:
    for error in errors.kafka_errors.values():
        if issubclass(error, errors.RetriableError) and error not in FAULTS:
            assert type(translate(error())) is Unreachable, error


def test_a_sequence_the_broker_has_already_is_done() -> None:
    assert translate(errors.DuplicateSequenceNumberError()) is None


def test_an_unknown_error_is_of_unknown_kind() -> None:
    assert type(translate(errors.UnknownError(SECRET))) is DeliveryError
    assert type(translate(ZeroDivisionError(SECRET))) is DeliveryError


def test_a_delivery_error_stays_what_it_is() -> None:
    fault = Rejected("x")
    assert translate(fault) is fault


def _wrapped(cause: Exception) -> Exception:
    error = errors.KafkaConnectionError("handshake")
    error.__cause__ = cause
    return error


def _alert(reason: str, kind: type[ssl.SSLError] = ssl.SSLError) -> ssl.SSLError:
    error = kind(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (_alert("TLSV1_ALERT_UNKNOWN_CA"), Misconfigured),
        (_alert("WRONG_VERSION_NUMBER"), Misconfigured),
        (_alert("UNEXPECTED_EOF_WHILE_READING", ssl.SSLEOFError), Unreachable),
        (ConnectionResetError(104, "reset"), Unreachable),
    ],
)
def test_what_stands_behind_a_failed_connection_decides(cause: Exception, kind: type[DeliveryError]) -> None:
    assert type(translate(_wrapped(cause))) is kind
    assert type(translate(errors.KafkaConnectionError(cause))) is kind


@pytest.mark.parametrize("text", sorted({text for _, text, _ in FAULTS.values()}))
def test_the_guide_explains_every_reason(text: str) -> None:
    words = " ".join(GUIDE.read_text(encoding="utf-8").split())
    assert text in words
