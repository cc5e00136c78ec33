"""One batch on its way to a DICOMweb store: requests, splitting, suspects, reading back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from appliance.dicomweb.client import DicomwebClient, Refused, Reply
from appliance.dicomweb.faults import NoAnswer
from appliance.dicomweb.offset_upload import OffsetUpload
from appliance.dicomweb.outgoing import Damaged, check
from appliance.errors import ApplianceError, DeliveryError
from appliance.failpoints import failpoint
from appliance.sync.proving import Finding
from appliance.sync.sinks.contract import Answer, Misconfigured, Rejected, Unreachable
from appliance.sync.sinks.stow_batches import Parcel, halves
from appliance.sync.sinks.stow_faults import DUPLICATE, of_error, of_reason, of_status

T = TypeVar("T")

# A lone object gets a second try on a line that resets, before anything is held against it.
LONE_TRIES = 2
# With so many silent or broken requests and none that went through, the store itself is ill.
MOST_SUSPECTS = 2
# Statuses that may carry a store response; others say all by themselves.
WITH_REPORT = frozenset({200, 201, 202, 400, 409, 422})
OTHER_BYTES = "the store holds other bytes under this UID, and keeps them"


def examine(client: DicomwebClient, parcel: Parcel) -> Finding:
    """Read an object back and compare digest and transfer syntax.

    Raises the client's errors, Misconfigured for a store that gives nothing back.
    """
    row, blob = parcel.row, parcel.row.blob
    assert blob is not None
    try:
        held = client.read(row.study_uid, row.series_uid, parcel.sop_uid, most=blob.length)
    except Refused as error:
        raise _unreadable(error.reply, client.endpoint.host) from error
    if held is None:
        return Finding.ABSENT
    identical = held.digest == blob.digest and held.transfer_syntax_uid == blob.transfer_syntax_uid
    return Finding.IDENTICAL if identical else Finding.DIFFERENT


def _unreadable(reply: Reply, host: str) -> DeliveryError:
    """A store that refuses to give an object back says nothing about the object."""
    fault = of_status(reply, host)
    if isinstance(fault, Unreachable | Misconfigured):
        return fault
    hint = "let this box's account read what it stores"
    return Misconfigured(f"{host} does not give objects back ({reply.status})", hint=hint)


def _upload(upload: OffsetUpload, parcel: Parcel, labels: Mapping[str, str], heed: Callable[[], None]) -> Reply:
    check(parcel.instance, heed)
    return upload.send(parcel.instance, labels)


class Sending:
    """Fills in the answers of one batch. Unreachable and Misconfigured are raised: they stop it."""

    def __init__(self, client: DicomwebClient, answers: dict[int, Answer]) -> None:
        """Take the client and the answers so far."""
        self._client = client
        self._answers = answers
        self._host = client.endpoint.host

    def offers(self, upload: OffsetUpload) -> bool:
        """Say whether the store takes resumable uploads."""
        return self._asked(upload.offered)

    def store(self, group: Sequence[Parcel]) -> None:
        """Store a group in one request; split it, or send suspects alone, as the answer asks for."""
        try:
            reply = self._post(group)
        except Damaged as error:
            self._answers[group[error.index].event_id] = of_error(error, self._host)
            self._go_on([parcel for at, parcel in enumerate(group) if at != error.index])
        except NoAnswer as error:
            self._suspect(group, error)
        else:
            self._judge(group, reply)

    def upload(self, upload: OffsetUpload, parcel: Parcel) -> None:
        """Send one huge object in pieces; what was reached stays there if this is interrupted."""
        row = parcel.row
        labels = {
            "study_uid": row.study_uid,
            "series_uid": row.series_uid,
            "sop_uid": parcel.sop_uid,
            "transfer_syntax_uid": row.blob.transfer_syntax_uid if row.blob else "",
        }
        try:
            reply = self._asked(lambda: _upload(upload, parcel, labels, self._client.transport.heed))
        except (Unreachable, Misconfigured):
            raise
        except DeliveryError as fault:
            self._answers[parcel.event_id] = fault
        else:
            self._judge((parcel,), reply)

    def stop_at_obstacle(self, group: Sequence[Parcel]) -> None:
        """Raise what the store said of one object when it is true of the store: nothing more is sent then."""
        for parcel in group:
            answer = self._answers.get(parcel.event_id)
            if isinstance(answer, Unreachable | Misconfigured):
                raise answer

    def _post(self, group: Sequence[Parcel]) -> Reply:
        """Send one request. Raises Damaged, NoAnswer, and all else as delivery errors."""
        failpoint("stow.before_send")
        try:
            reply = self._client.store([parcel.instance for parcel in group])
        except (Damaged, NoAnswer):
            raise
        except ApplianceError as error:
            raise of_error(error, self._host) from error
        failpoint("stow.after_answer")
        return reply

    def _go_on(self, group: Sequence[Parcel]) -> None:
        if group:
            self.store(group)

    def _judge(self, group: Sequence[Parcel], reply: Reply) -> None:
        if reply.report and reply.status in WITH_REPORT:
            self._by_report(group, reply)
            return
        fault = of_status(reply, self._host)
        if isinstance(fault, Unreachable | Misconfigured):
            raise fault
        if fault is None:
            fault = DeliveryError(f"{self._host} does not hold what it answered {reply.status} for")
            self._unnamed(group, fault, alone=len(group) == 1)
        elif len(group) > 1:
            for half in halves(group):
                self.store(half)
        else:
            self._answers[group[0].event_id] = fault

    def _by_report(self, group: Sequence[Parcel], reply: Reply) -> None:
        report = reply.report
        unnamed = []
        for parcel in group:
            if parcel.sop_uid in report.failed:
                self._answers[parcel.event_id] = self._by_reason(parcel, report.failed[parcel.sop_uid])
            elif parcel.sop_uid in report.stored:
                self._answers[parcel.event_id] = self._by_digest(parcel, report.stored[parcel.sop_uid])
            else:
                unnamed.append(parcel)
        fault = DeliveryError(f"{self._host} does not name the object in its answer")
        if report.unnamed:
            fault = of_reason(report.unnamed[0], self._host)
        self._unnamed(unnamed, fault, alone=len(group) == 1)

    def _by_reason(self, parcel: Parcel, reason: int) -> Answer:
        if reason != DUPLICATE:
            return of_reason(reason, self._host)
        finding = self._asked(lambda: examine(self._client, parcel))
        return {
            Finding.IDENTICAL: None,
            Finding.DIFFERENT: Rejected(OTHER_BYTES, hint="compare both, then bury it or replace it there"),
            Finding.ABSENT: DeliveryError(f"{self._host} says it has the object, but does not give it back"),
        }[finding]

    def _by_digest(self, parcel: Parcel, digest: str) -> Answer:
        if digest in ("", parcel.instance.digest):
            return None
        return DeliveryError(f"{self._host} has stored other bytes than were sent", hint="check the line and the disk")

    def _unnamed(self, group: Sequence[Parcel], fault: DeliveryError, *, alone: bool) -> None:
        """The store took a request and is silent about these: only what it gives back counts.

        What is missing is sent alone, unless it was: the answer is about that one then.
        """
        for parcel in group:
            finding = self._asked(lambda parcel=parcel: examine(self._client, parcel))  # type: ignore[misc]
            if finding is Finding.IDENTICAL:
                self._answers[parcel.event_id] = None
            elif not alone:
                self.store((parcel,))
            elif finding is Finding.DIFFERENT:
                self._answers[parcel.event_id] = Rejected(OTHER_BYTES, hint="see the store's own log")
            elif isinstance(fault, Unreachable | Misconfigured):
                raise fault
            else:
                self._answers[parcel.event_id] = fault

    def _suspect(self, group: Sequence[Parcel], error: NoAnswer) -> None:
        """A request broke off: look what arrived, send the rest alone, and find out whose fault it is."""
        broken: list[tuple[Parcel, NoAnswer]] = []
        for parcel in group:
            fault = self._alone(parcel, error if len(group) == 1 else None)
            if fault is None:
                continue
            broken.append((parcel, fault))
            if len(broken) >= MOST_SUSPECTS and not self._someone_passed():
                raise self._ill(broken)
        if not broken:
            return
        if not self._someone_passed() and not self._takes_requests(broken):
            raise self._ill(broken)
        for parcel, fault in broken:
            reason = f"{fault.message}, for this object alone: the store takes others"
            self._answers[parcel.event_id] = DeliveryError(reason, hint="see the store's own log")

    def _alone(self, parcel: Parcel, broken: NoAnswer | None) -> NoAnswer | None:
        """Deliver a suspect by itself; return how it broke off, if it did.

        `broken` is how its request alone broke off already, if it was alone.
        """
        tries = LONE_TRIES if broken is None else LONE_TRIES - 1
        while not self._is_there(parcel):
            if broken is not None and (broken.silent or not tries):
                return broken
            tries -= 1
            try:
                reply = self._post((parcel,))
            except Damaged as error:
                self._answers[parcel.event_id] = of_error(error, self._host)
                return None
            except NoAnswer as error:
                broken = error
            else:
                self._judge((parcel,), reply)
                return None
        self._answers[parcel.event_id] = None
        return None

    def _is_there(self, parcel: Parcel) -> bool:
        return self._asked(lambda: examine(self._client, parcel)) is Finding.IDENTICAL

    def _someone_passed(self) -> bool:
        return any(answer is None for answer in self._answers.values())

    def _takes_requests(self, broken: Sequence[tuple[Parcel, NoAnswer]]) -> bool:
        """Say whether a request without objects is answered where all with one were cut off.

        Not asked after silence: a line that swallows large packets lets small ones through.
        """
        if any(fault.silent for _, fault in broken):
            return False
        try:
            reply = self._client.knock()
        except ApplianceError:
            return False
        return not isinstance(of_status(reply, self._host), Unreachable)

    def _ill(self, broken: Sequence[tuple[Parcel, NoAnswer]]) -> Unreachable:
        parcel, fault = broken[0]
        return Unreachable(f"{fault.message} (object {parcel.sop_uid})", hint=fault.hint)

    def _asked(self, ask: Callable[[], T]) -> T:
        """Call the client; its errors become delivery errors."""
        try:
            return ask()
        except DeliveryError:
            raise
        except ApplianceError as error:
            raise of_error(error, self._host) from error
