"""The desk between lobby and associations: who asks is admitted to a slot, or told why not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from appliance.logs import get_logger
from appliance.scp.access import AllowList
from appliance.scp.association import StorageAssociation
from appliance.scp.pdu import TEMPORARY_CONGESTION, Rejection, Titles, read_titles
from appliance.scp.slots import Slots
from appliance.scp.terms import Caller, Terms
from appliance.scp.trace import new_traceparent
from appliance.scp.transport import Connection
from appliance.scp.waiting import Waiting


class Callers(Protocol):
    """Where rejected callers are remembered."""

    def reject(self, ae_title: str, address: str, reason: str) -> None:
        """Remember it, soon; must not block."""


class Reception:
    """Admits callers and keeps the associations that stand."""

    def __init__(self, terms: Terms, allow_list: AllowList, slots: Slots, callers: Callers) -> None:
        self._terms = terms
        self._allow_list = allow_list
        self._slots = slots
        self._callers = callers
        self._standing: set[StorageAssociation] = set()
        self._changed = threading.Condition()

    def receive(self, waiting: Waiting, request: bytes) -> bytes | None:
        """Start an association on the connection (None), or give the A-ASSOCIATE-RJ to send.

        Raises ProtocolError when the request is too short to tell who asks.
        """
        titles = read_titles(request)
        admission = self._allow_list.decide(titles, waiting.address, waiting.certificate())
        if admission.peer is None or admission.rejection is not None:
            rejection = admission.rejection or TEMPORARY_CONGESTION
            return self._reject(titles, waiting.address, rejection, admission.reason)
        if not self._slots.take(waiting.address):
            reason = "too many associations at once"
            return self._reject(titles, waiting.address, TEMPORARY_CONGESTION, reason)
        caller = Caller(titles, waiting.address, waiting.port, admission.peer, new_traceparent())
        return self._begin(waiting, request, caller)

    def distrust(self, waiting: Waiting, reason: str) -> None:
        """Note a connection that ended because its certificate is not believed; who it was, nobody knows."""
        get_logger(__name__).warning("certificate refused", address=waiting.address, reason=reason)
        self._terms.tally.rejected(reason)
        self._callers.reject("", waiting.address, reason)

    def _begin(self, waiting: Waiting, request: bytes, caller: Caller) -> bytes | None:
        try:
            connection = Connection(waiting.sock, bytes(waiting.received), self._terms.network_timeout)
        except OSError:
            self._slots.give_back(caller.address)
            reason = "no file descriptor for an association"
            return self._reject(caller.titles, caller.address, TEMPORARY_CONGESTION, reason)
        association = StorageAssociation(connection, request, caller, self._terms, self._leave)
        self._terms.tally.opened()
        with self._changed:
            self._standing.add(association)
        try:
            association.start()
        except RuntimeError:
            self._leave(association)
            reason = "no thread for an association"
            return self._reject(caller.titles, caller.address, TEMPORARY_CONGESTION, reason)
        return None

    def _reject(self, titles: Titles, address: str, rejection: Rejection, reason: str) -> bytes:
        get_logger(__name__).warning("association rejected", ae_title=titles.calling, address=address, reason=reason)
        self._terms.tally.rejected(reason)
        self._callers.reject(titles.calling, address, reason)
        return rejection.encode()

    def _leave(self, association: StorageAssociation) -> None:
        self._slots.give_back(association.caller.address)
        self._terms.tally.closed()
        with self._changed:
            self._standing.discard(association)
            self._changed.notify_all()

    def standing(self) -> tuple[StorageAssociation, ...]:
        """The associations that stand now."""
        with self._changed:
            return tuple(self._standing)

    def wait_for_change(self, enough: Callable[[int], bool], timeout: float) -> bool:
        """Wait until `enough` holds for the number of associations, at most `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: enough(len(self._standing)), timeout)
