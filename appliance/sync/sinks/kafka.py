"""The Kafka sink: records in topics, durable once every replica in sync has them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kafka import errors

from appliance.archive.outbox import Delivery
from appliance.errors import ConfigurationError, DeliveryError
from appliance.failpoints import failpoint
from appliance.signatures import Signer, load_signer
from appliance.sync.sinks.contract import Answer, Misconfigured, Rejected, RowFault, Unreachable
from appliance.sync.sinks.kafka_faults import translate
from appliance.sync.sinks.kafka_link import Future, Link, connect
from appliance.sync.sinks.kafka_options import KafkaOptions
from appliance.sync.sinks.kafka_parcels import Parcel, grouped, halves, pack, topic_names
from appliance.sync.sinks.kafka_settings import producer_configs

SLICE_SECONDS = 0.2
CONNECT_SECONDS = 10.0
# After the wish to stop, answers on their way get this long; what is not known then is sent again.
STOP_SECONDS = 2.0
# A broker that has just started may know its topics a moment later.
TOPIC_SECONDS = 3.0
# The library's own timer fires first, unless its thread hangs.
GRACE_SECONDS = 5.0

OBSTACLES = (Unreachable, Misconfigured)

Answers = dict[int, Answer]


class KafkaSink:
    """Publishes states and images, under the profile "direct" store records too; never pixels.

    A closed group of records is sent, all its answers are awaited, then it is told on. After any
    error that may concern the producer a new one is made for the next group.
    """

    def __init__(self, options: KafkaOptions, stopping: Callable[[], bool] = lambda: False) -> None:
        """Touch nothing yet. `stopping` says whether the room wants to end; it is asked while waiting."""
        self._options = options
        self._stopping = stopping
        self._signer: Signer | None = None
        self._link: Link | None = None

    def deliver(self, batch: Sequence[Delivery]) -> Mapping[int, Answer]:
        """Publish the rows. See the contract; an obstacle is the answer of every row it kept out."""
        answers: Answers = {}
        if not batch:
            return answers
        deadline = time.monotonic() + self._options.delivery_timeout
        try:
            self._connected()
        except OBSTACLES as obstacle:
            return {row.event_id: obstacle for row in batch}
        parcels = pack(batch, self._options, self._signer, answers)
        try:
            self._carry(parcels, answers, deadline)
        except BaseException:
            self.close()
            raise
        return _in_order(parcels, answers)

    def close(self) -> None:
        """Let go of the connection; records without an answer are given up. Safe to repeat."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _carry(self, parcels: Sequence[Parcel], answers: Answers, deadline: float) -> None:
        """Send group by group. A fault of a row in company is no verdict: the group is split down to it.

        The library fails everything it holds with the error of one record, innocent ones too.
        """
        groups = grouped(parcels)[::-1]
        while groups:
            group = groups.pop()
            found = self._send(group, deadline)
            suspects = _suspects(group, found)
            if len(group) > 1 and suspects:
                groups += reversed([half for half in halves(suspects) if half])
                again = {parcel.event_id for parcel in suspects}
                found = {number: answer for number, answer in found.items() if number not in again}
            answers.update(found)
            obstacle = next((answer for answer in found.values() if isinstance(answer, OBSTACLES)), None)
            if obstacle is not None:
                for parcel in parcels:
                    answers.setdefault(parcel.event_id, obstacle)
                return

    def _send(self, group: Sequence[Parcel], deadline: float) -> Answers:
        """Send a group and await its answers."""
        try:
            link = self._connected()
        except OBSTACLES as obstacle:
            return {parcel.event_id: obstacle for parcel in group}
        failpoint("kafka.before_send")
        futures = _hand_over(link, group)
        failpoint("kafka.after_send")
        ended = self._await(link, [future for found in futures.values() for future in found], deadline)
        failpoint("kafka.after_answers")
        answers = {number: _answer(found, ended) for number, found in futures.items()}
        if any(answer is not None for answer in answers.values()):
            self.close()
        return answers

    def _connected(self) -> Link:
        if self._link is not None and self._link.lost_topic() is not None:
            self.close()
        if self._link is None:
            options = self._options
            self._signer = _signer(options.signature_key_file)
            seconds = min(CONNECT_SECONDS, options.delivery_timeout)
            configs, topics = producer_configs(options), topic_names(options)
            self._link = connect(configs, topics, profile=options.profile, seconds=seconds, stopping=self._stopping)
        return self._link

    def _await(self, link: Link, futures: Sequence[Future], deadline: float) -> DeliveryError | None:
        """Wait until every future is done; return what ended the wait before that."""
        patience = _Patience(link, deadline + GRACE_SECONDS, self._stopping)
        for future in futures:
            while not future.is_done:
                with suppress(errors.KafkaError):  # a slice has passed, or it failed, which is read from it later
                    future.get(timeout=SLICE_SECONDS)
                if not future.is_done and (obstacle := patience.obstacle()) is not None:
                    return obstacle
        return None


class _Patience:
    """How long unanswered messages are waited for."""

    def __init__(self, link: Link, deadline: float, stopping: Callable[[], bool]) -> None:
        self._link = link
        self._deadline = deadline
        self._stopping = stopping
        self._lost_since: float | None = None

    def obstacle(self) -> DeliveryError | None:
        """Return why nothing more is to be waited for, None to go on."""
        now = time.monotonic()
        if self._stopping():
            self._deadline = min(self._deadline, now + STOP_SECONDS)
            self._stopping = lambda: False
        if now > self._deadline:
            return Unreachable("the broker did not answer in time", hint="check the broker and the line to it")
        lost = self._link.lost_topic()
        self._lost_since = None if lost is None else self._lost_since or now
        if self._lost_since is not None and now - self._lost_since > TOPIC_SECONDS:
            hint = "create it; see docs/forwarding-kafka.md"
            return Misconfigured(f"the broker has no topic {lost} any more", hint=hint)
        return self._link.obstacle()


def _suspects(group: Sequence[Parcel], found: Answers) -> list[Parcel]:
    """Return the rows that must be sent again: faulty ones, and what follows one of them in its series.

    What follows goes again even where it was acknowledged, or the older record would be the last.
    """
    suspects, series = [], set()
    for parcel in group:
        if _is_fault(found[parcel.event_id]) or parcel.series in series:
            suspects.append(parcel)
            series.add(parcel.series)
    return suspects


def _hand_over(link: Link, group: Sequence[Parcel]) -> dict[int, list[Future]]:
    """Hand every message over, in order; a message the library refuses has its error as its future.

    When it refuses one because no broker answers, the others are not tried: each would wait as long.
    """
    futures: dict[int, list[Future]] = {}
    refusal: _Refused | None = None
    for parcel in group:
        found = futures.setdefault(parcel.event_id, [])
        for message in parcel.messages:
            if refusal is not None and isinstance(translate(refusal.exception), OBSTACLES):
                found.append(refusal)
                continue
            try:
                found.append(link.send(message.topic, message.key, message.value, message.headers))
            except (errors.KafkaError, ValueError, TypeError) as error:
                refusal = _Refused(error)
                found.append(refusal)
    return futures


class _Refused:
    """A message that never left."""

    is_done = True

    def __init__(self, exception: Exception) -> None:
        self.exception = exception


def _answer(futures: Sequence[Future], obstacle: DeliveryError | None) -> Answer:
    """Return the answer of a row: its gravest message's."""
    found = [_of_future(future, obstacle) for future in futures]
    for kind in (Misconfigured, Unreachable, RowFault, DeliveryError):
        for answer in found:
            if isinstance(answer, kind):
                return answer
    return None


def _of_future(future: Future, obstacle: DeliveryError | None) -> Answer:
    if not future.is_done:
        return obstacle or Unreachable("the broker did not answer")
    answer = None if future.exception is None else translate(future.exception)
    if isinstance(future, _Refused) and isinstance(answer, Rejected):
        return RowFault(answer.message, hint=answer.hint)  # the library's word, no broker has seen it
    return answer


def _is_fault(answer: Answer) -> bool:
    return answer is not None and not isinstance(answer, OBSTACLES)


def _in_order(parcels: Sequence[Parcel], answers: Answers) -> Answers:
    """Send again what overtook an unfinished row of its series: the newest of a series is to come last."""
    behind: dict[tuple[str, str, str], DeliveryError] = {}
    for parcel in parcels:
        answer = answers[parcel.event_id]
        if isinstance(answer, OBSTACLES):
            behind.setdefault(parcel.series, answer)
        elif answer is None and parcel.series in behind:
            answers[parcel.event_id] = behind[parcel.series]
    return answers


def _signer(path: Path | None) -> Signer | None:
    """Read the key that signs records. Raises Misconfigured."""
    try:
        return None if path is None else load_signer(path)
    except ConfigurationError as error:
        raise Misconfigured(error.message, hint=error.hint) from None
