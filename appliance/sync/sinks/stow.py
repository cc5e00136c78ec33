"""The STOW sink: whole objects in a DICOMweb store, as durable there as its word is, or as reading back proves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from appliance.archive.outbox import Delivery
from appliance.dicomweb.client import DicomwebClient
from appliance.dicomweb.offset_upload import OffsetUpload
from appliance.errors import ApplianceError, DeliveryError
from appliance.sync.proving import Finding
from appliance.sync.sinks.contract import Answer, Misconfigured, RowFault, Unreachable
from appliance.sync.sinks.stow_batches import Parcel, pack, requests
from appliance.sync.sinks.stow_faults import of_error
from appliance.sync.sinks.stow_options import StowOptions
from appliance.sync.sinks.stow_sending import Sending, examine


class StowSink:
    """Stores objects by STOW-RS; records are not its matter.

    An object counts as delivered when the store names it as stored, or when reading it back has
    given identical bytes. Everything else is asked again, alone, or told as a fault.
    """

    def __init__(
        self, options: StowOptions, pace: Callable[[int], None] = lambda _size: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """Touch nothing yet. `pace` is told of every block sent and may hold up the next.

        `stopping` says whether the room wants to end: a transfer ends between two blocks then, and
        its rows were not reached.
        """
        self._options = options
        self._client = DicomwebClient(options.endpoint(), pace, stopping)
        self._upload = OffsetUpload(self._client) if options.offset_upload == "auto" else None

    def deliver(self, batch: Sequence[Delivery]) -> Mapping[int, Answer]:
        """Store the rows in bounded requests. See the contract; a second delivery stores the same bytes again."""
        answers: dict[int, Answer] = {}
        parcels = _packed(batch, answers)
        sending = Sending(self._client, answers)
        try:
            for group in requests(parcels, self._options.batch_count, self._options.batch_bytes):
                self._send(sending, [parcel for parcel in group if not _held_back(parcel, parcels, answers)])
        except (Unreachable, Misconfigured) as obstacle:
            self.close()
            for row in batch:
                answers.setdefault(row.event_id, obstacle)
        except BaseException:
            self.close()
            raise
        return answers

    def read_back(self, delivery: Delivery) -> Finding:
        """Fetch an object and compare its digest. Raises Unreachable, Misconfigured."""
        try:
            return examine(self._client, pack(delivery))
        except DeliveryError:
            self.close()
            raise
        except ApplianceError as error:
            self.close()
            fault = of_error(error, self._client.endpoint.host)
            if isinstance(fault, Unreachable | Misconfigured):
                raise fault from error
            raise Unreachable(fault.message, hint=fault.hint) from error

    def close(self) -> None:
        """Close the connections; certificates are read again for the next ones. Safe to repeat."""
        self._client.close()

    def _send(self, sending: Sending, group: Sequence[Parcel]) -> None:
        if not group:
            return
        large = len(group) == 1 and group[0].instance.size >= self._options.offset_threshold
        if large and self._upload is not None and sending.offers(self._upload):
            sending.upload(self._upload, group[0])
        else:
            sending.store(group)
        sending.stop_at_obstacle(group)


def _packed(batch: Sequence[Delivery], answers: dict[int, Answer]) -> list[Parcel]:
    """Pack each row; those that cannot be get their fault as the answer."""
    parcels = []
    for row in batch:
        try:
            parcels.append(pack(row))
        except RowFault as fault:
            answers[row.event_id] = fault
    return parcels


def _held_back(parcel: Parcel, parcels: Sequence[Parcel], answers: dict[int, Answer]) -> bool:
    """Say whether an earlier version of the same instance is still to come: the newer one must not go first."""
    for other in parcels:
        if other is parcel:
            return False
        fault = answers.get(other.event_id)
        if other.sop_uid == parcel.sop_uid and fault is not None and not isinstance(fault, RowFault):
            answers[parcel.event_id] = fault
            return True
    return False
