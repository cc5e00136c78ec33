"""Kafka's errors: whose fault each of them is, in one table."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from kafka import errors

from appliance.errors import DeliveryError
from appliance.sync.sinks.contract import Answer, Misconfigured, Rejected, Unreachable

Kind = type[Unreachable] | type[Misconfigured] | type[Rejected]
Verdict = tuple[Kind, str, str]

_LINE = "check that the broker runs and that the line to it is up"
_USER = "check username, password_file and sasl_mechanism of the sink, and the user at the broker"
_GRANT = "grant the user WRITE and DESCRIBE on the topics, and IDEMPOTENT_WRITE on the cluster if the broker is old"
_SPEECH = "check the port and the sink's security setting"

_TABLE: tuple[tuple[Kind, str, str, tuple[type[Exception], ...]], ...] = (
    # Connectivity or overload: tried for ever, nothing counts against the rows.
    (Unreachable, "the broker did not answer in time", _LINE,
     (errors.KafkaTimeoutError, errors.RequestTimedOutError)),
    (Unreachable, "the connection to the broker failed", f"{_LINE}; if both are fine, {_SPEECH}",
     (errors.KafkaConnectionError, errors.NetworkExceptionError, errors.BrokerNotAvailableError, errors.Cancelled,
      errors.NodeNotReadyError, errors.CorrelationIdError, errors.MetadataEmptyBrokerList, errors.UnknownBrokerIdError,
      errors.IllegalStateError)),
    (Unreachable, "a partition has no leader at present", "it comes back when the brokers have elected one",
     (errors.InvalidMetadataError, errors.NotLeaderForPartitionError, errors.LeaderNotAvailableError)),
    (Unreachable, "too few replicas of a partition are in sync", "bring the other brokers back",
     (errors.NotEnoughReplicasError, errors.NotEnoughReplicasAfterAppendError)),
    (Unreachable, "the broker is busy", "",
     (errors.RetriableError, errors.ThrottlingQuotaExceededError, errors.QuotaViolationError,
      errors.StaleBrokerEpochError, errors.KafkaStorageError)),
    # The next batch is sent by a new producer, so these mend themselves.
    (Unreachable, "the broker has lost what it knew of this producer", "a new one is made at the next try",
     (errors.OutOfOrderSequenceNumberError, errors.UnknownProducerIdError, errors.InvalidProducerEpochError,
      errors.ProducerFencedError, errors.InvalidProducerIdMappingError, errors.TransactionAbortedError,
      errors.InvalidTxnStateError)),
    # Somebody must mend a setting or a permission.
    (Misconfigured, "the broker rejects the login", _USER, (errors.SaslAuthenticationFailedError,)),
    (Misconfigured, "the broker does not offer this login mechanism", _USER,
     (errors.UnsupportedSaslMechanismError, errors.IllegalSaslStateError, errors.SecurityDisabledError)),
    (Misconfigured, "the broker does not permit it", _GRANT, (errors.AuthorizationError,)),
    (Misconfigured, "a topic or partition does not exist", "create the topics; see docs/forwarding-kafka.md",
     (errors.UnknownTopicOrPartitionError, errors.UnknownTopicIdError)),
    (Misconfigured, "a topic's name is not valid", "correct the sink's topics", (errors.InvalidTopicError,)),
    (Misconfigured, "the broker is too old for what the sink needs", "use Apache Kafka 2.5 or later",
     (errors.UnsupportedVersionError, errors.IncompatibleBrokerVersion, errors.UnrecognizedBrokerVersion,
      errors.UnsupportedForMessageFormatError)),
    (Misconfigured, "the broker does not take this compression", "set another compression",
     (errors.UnsupportedCompressionTypeError, errors.UnsupportedCodecError)),
    (Misconfigured, "a policy of the broker forbids it", "ask its administrator",
     (errors.PolicyViolationError, errors.InvalidRequiredAcksError, errors.InvalidConfigurationError)),
    (Misconfigured, "the broker refuses the time of the records", "set the clock of the box or of the broker",
     (errors.InvalidTimestampError,)),
    (Misconfigured, "what answers there does not speak Kafka's protocol", _SPEECH,
     (errors.KafkaProtocolError, errors.InvalidReceiveError, errors.InvalidRequestError)),
    (Misconfigured, "the settings do not fit together", "", (errors.KafkaConfigurationError,)),
    # The row's own fault, once it was sent alone.
    (Rejected, "the record is larger than the topic allows", "raise max.message.bytes of the topic, then replay",
     (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)),
    (Rejected, "the broker calls the record invalid", "", (errors.InvalidRecordError,)),
)  # fmt: skip

FAULTS: Mapping[type[Exception], Verdict] = MappingProxyType(
    {error: (kind, text, hint) for kind, text, hint, classes in _TABLE for error in classes}
)
# The broker has the records already: what an idempotent producer is told of its own repeats.
DONE: tuple[type[Exception], ...] = (errors.DuplicateSequenceNumberError,)


def translate(error: BaseException) -> Answer:
    """Return what an error of the library means; None where the records are at the broker.

    Only its kind is told on: a text that came from the network stays behind. An unknown one is a
    plain DeliveryError.
    """
    if isinstance(error, DeliveryError):
        return error
    if isinstance(error, DONE):
        return None
    tls = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)), None)
    if tls is not None:
        return _of_tls(tls)
    for parent in type(error).__mro__:
        if parent in FAULTS:
            kind, text, hint = FAULTS[parent]
            return kind(f"{text} ({type(error).__name__})", hint=hint)
    if isinstance(error, OSError):
        return Unreachable(f"the connection to the broker failed ({type(error).__name__})", hint=_LINE)
    return DeliveryError(f"Kafka: {type(error).__name__}")


def _of_tls(error: ssl.SSLError) -> DeliveryError:
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "check tls_ca, and the names in the broker's certificate"
        return Misconfigured(f"the broker's certificate is not accepted: {error.verify_message}", hint=hint)
    reason = error.reason or ""
    if "ALERT" in reason:
        hint = "check tls_certificate and tls_key, and whom the broker trusts"
        return Misconfigured(f"the broker refuses the TLS connection ({reason})", hint=hint)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
        return Unreachable("the TLS connection to the broker broke off", hint=f"{_LINE}; {_SPEECH}")
    return Misconfigured(f"the broker does not speak TLS as we do ({reason or 'no reason'})", hint=_SPEECH)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
        error = error.__cause__ or error.__context__ or inner
