"""Kafka's errors: whose fault each of them is, in one table."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType

from kafka import errors

from appliance.errors import DeliveryError


class Blame(StrEnum):
    """Who can mend a fault: nobody need, an administrator, nobody (the record stays as it is), or nobody knows."""

    LINE = "line"
    SETTINGS = "settings"
    RECORD = "record"
    UNKNOWN = "unknown"


class KafkaFault(DeliveryError):
    """Something between us and the brokers; `blame` says what is to be done about it."""

    def __init__(self, message: str, *, hint: str = "", blame: Blame) -> None:
        super().__init__(message, hint=hint)
        self.blame = blame


Verdict = tuple[Blame, str, str]

_LINE = "check that the broker runs and that the line to it is up"
_USER = "check username, password_file and sasl_mechanism, and the user at the broker"
_GRANT = (
    "grant a writer WRITE and DESCRIBE on the topics (IDEMPOTENT_WRITE on the cluster if the broker is old), "
    "the loader READ on topics and group, and WRITE on the topics of dead letters"
)
_SPEECH = "check the port and the setting `security`"

_TABLE: tuple[tuple[Blame, str, str, tuple[type[Exception], ...]], ...] = (
    # Connectivity or overload: tried for ever, nothing counts against the rows.
    (Blame.LINE, "the broker did not answer in time", _LINE,
     (errors.KafkaTimeoutError, errors.RequestTimedOutError)),
    (Blame.LINE, "the connection to the broker failed", f"{_LINE}; if both are fine, {_SPEECH}",
     (errors.KafkaConnectionError, errors.NetworkExceptionError, errors.BrokerNotAvailableError, errors.Cancelled,
      errors.NodeNotReadyError, errors.CorrelationIdError, errors.MetadataEmptyBrokerList, errors.UnknownBrokerIdError,
      errors.IllegalStateError)),
    (Blame.LINE, "a partition has no leader at present", "it comes back when the brokers have elected one",
     (errors.InvalidMetadataError, errors.NotLeaderForPartitionError, errors.LeaderNotAvailableError)),
    (Blame.LINE, "too few replicas of a partition are in sync", "bring the other brokers back",
     (errors.NotEnoughReplicasError, errors.NotEnoughReplicasAfterAppendError)),
    (Blame.LINE, "the broker is busy", "",
     (errors.RetriableError, errors.ThrottlingQuotaExceededError, errors.QuotaViolationError,
      errors.StaleBrokerEpochError, errors.KafkaStorageError)),
    # The next batch is sent by a new producer, so these mend themselves.
    (Blame.LINE, "the broker has lost what it knew of this producer", "a new one is made at the next try",
     (errors.OutOfOrderSequenceNumberError, errors.UnknownProducerIdError, errors.InvalidProducerEpochError,
      errors.ProducerFencedError, errors.InvalidProducerIdMappingError, errors.TransactionAbortedError,
      errors.InvalidTxnStateError)),
    # Somebody must mend a setting or a permission.
    (Blame.SETTINGS, "the broker rejects the login", _USER, (errors.SaslAuthenticationFailedError,)),
    (Blame.SETTINGS, "the broker does not offer this login mechanism", _USER,
     (errors.UnsupportedSaslMechanismError, errors.IllegalSaslStateError, errors.SecurityDisabledError)),
    (Blame.SETTINGS, "the broker does not permit it", _GRANT, (errors.AuthorizationError,)),
    (Blame.SETTINGS, "a topic or partition does not exist", "create the topics; see docs/forwarding-kafka.md",
     (errors.UnknownTopicOrPartitionError, errors.UnknownTopicIdError)),
    (Blame.SETTINGS, "a topic's name is not valid", "correct `topics`", (errors.InvalidTopicError,)),
    (Blame.SETTINGS, "the broker is too old for what is needed", "use Apache Kafka 2.5 or later",
     (errors.UnsupportedVersionError, errors.IncompatibleBrokerVersion, errors.UnrecognizedBrokerVersion,
      errors.UnsupportedForMessageFormatError)),
    (Blame.SETTINGS, "the broker does not take this compression", "set another compression",
     (errors.UnsupportedCompressionTypeError, errors.UnsupportedCodecError)),
    (Blame.SETTINGS, "a policy of the broker forbids it", "ask its administrator",
     (errors.PolicyViolationError, errors.InvalidRequiredAcksError, errors.InvalidConfigurationError)),
    (Blame.SETTINGS, "the broker refuses the time of the records", "set the clock of the box or of the broker",
     (errors.InvalidTimestampError,)),
    (Blame.SETTINGS, "what answers there does not speak Kafka's protocol", _SPEECH,
     (errors.KafkaProtocolError, errors.InvalidReceiveError, errors.InvalidRequestError)),
    (Blame.SETTINGS, "the settings do not fit together", "", (errors.KafkaConfigurationError,)),
    # The row's own fault, once it was sent alone.
    (Blame.RECORD, "the record is larger than the topic allows", "raise max.message.bytes of the topic, then replay",
     (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)),
    (Blame.RECORD, "the broker calls the record invalid", "", (errors.InvalidRecordError,)),
)  # fmt: skip

FAULTS: Mapping[type[Exception], Verdict] = MappingProxyType(
    {error: (kind, text, hint) for kind, text, hint, classes in _TABLE for error in classes}
)
# The broker has the records already: what an idempotent producer is told of its own repeats.
DONE: tuple[type[Exception], ...] = (errors.DuplicateSequenceNumberError,)


def judge(error: BaseException) -> KafkaFault | None:
    """Return what an error of the library means; None where the records are at the broker.

    Only its kind is told on: a text that came from the network stays behind.
    """
    if isinstance(error, KafkaFault):
        return error
    if isinstance(error, DONE):
        return None
    tls = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)), None)
    if tls is not None:
        return _of_tls(tls)
    for parent in type(error).__mro__:
        if parent in FAULTS:
            blame, text, hint = FAULTS[parent]
            return KafkaFault(f"{text} ({type(error).__name__})", hint=hint, blame=blame)
    if isinstance(error, OSError):
        return KafkaFault(f"the connection to the broker failed ({type(error).__name__})", hint=_LINE, blame=Blame.LINE)
    return KafkaFault(f"Kafka: {type(error).__name__}", blame=Blame.UNKNOWN)


def _of_tls(error: ssl.SSLError) -> KafkaFault:
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "check tls_ca, and the names in the broker's certificate"
        message = f"the broker's certificate is not accepted: {error.verify_message}"
        return KafkaFault(message, hint=hint, blame=Blame.SETTINGS)
    reason = error.reason or ""
    if "ALERT" in reason:
        hint = "check tls_certificate and tls_key, and whom the broker trusts"
        return KafkaFault(f"the broker refuses the TLS connection ({reason})", hint=hint, blame=Blame.SETTINGS)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
        return KafkaFault("the TLS connection to the broker broke off", hint=f"{_LINE}; {_SPEECH}", blame=Blame.LINE)
    message = f"the broker does not speak TLS as we do ({reason or 'no reason'})"
    return KafkaFault(message, hint=_SPEECH, blame=Blame.SETTINGS)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
        error = error.__cause__ or error.__context__ or inner
