"""What one association is served: each message finds its operation, each operation its answer."""

from __future__ import annotations

from collections.abc import Callable

from pynetdicom.association import Association

from appliance.failpoints import failpoint
from appliance.scp.command import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_STORE_RQ,
    RESPONSE_BIT,
    Command,
    encode_response,
    wrap_command,
)
from appliance.scp.contexts import VERIFICATION, ContextTable
from appliance.scp.message import Operation
from appliance.scp.operations import PassedOn, Refused
from appliance.scp.pdu import ProtocolError
from appliance.scp.status import SOP_CLASS_NOT_SUPPORTED, UNRECOGNISED_OPERATION, DimseStatus
from appliance.scp.storage import Outcome, StoreOperation
from appliance.scp.terms import Caller, Terms
from appliance.scp.transport import Connection


class Services:
    """The services of one association, and its counts for the log.

    `serve` lets pynetdicom answer the message it was just given.
    """

    def __init__(
        self,
        association: Association,
        connection: Connection,
        caller: Caller,
        terms: Terms,
        contexts: ContextTable,
        serve: Callable[[], None],
    ) -> None:
        self._association = association
        self._connection = connection
        self._terms = terms
        self._contexts = contexts
        self._serve = serve
        self._origin = caller.origin()
        self.stored = 0
        self.refused = 0
        self.bytes = 0

    def begin(self, context_id: int, command: Command, encoded: bytes) -> Operation:
        """The operation for a message that begins. Raises ProtocolError when no answer would be right."""
        context = self._association._accepted_cx.get(context_id)
        if context is None:
            raise ProtocolError("message in a presentation context that was not accepted")
        if command.field & RESPONSE_BIT:
            raise ProtocolError("a response to nothing that was asked")
        if command.message_id is None and command.field != C_CANCEL_RQ:
            raise ProtocolError("request without a message ID")
        abstract_syntax = str(context.abstract_syntax)
        if command.field == C_STORE_RQ:
            return self._store(context_id, command, abstract_syntax, str(context.transfer_syntax[0]))
        if command.field not in (C_ECHO_RQ, C_CANCEL_RQ):
            return self._refusal(context_id, command, UNRECOGNISED_OPERATION)
        if command.field == C_ECHO_RQ and not abstract_syntax == command.sop_class_uid == VERIFICATION:
            return self._refusal(context_id, command, SOP_CLASS_NOT_SUPPORTED)
        return PassedOn(self._association.dimse, context_id, encoded, self._serve)

    def _store(self, context_id: int, command: Command, abstract_syntax: str, syntax: str) -> Operation:
        # Another storage class than the context's is forgiven: the bytes are what matters, and both are ours.
        storage = self._contexts.storage
        if abstract_syntax not in storage or command.sop_class_uid not in storage:
            return self._refusal(context_id, command, SOP_CLASS_NOT_SUPPORTED)

        def answer(outcome: Outcome) -> None:
            self._answer_store(context_id, command, outcome)

        limit = self._terms.max_object_bytes
        return StoreOperation(self._terms.ingest, self._origin, command, syntax, limit, answer)

    def _refusal(self, context_id: int, command: Command, status: DimseStatus) -> Operation:
        def answer() -> None:
            if command.field == C_STORE_RQ:
                self._count_refusal(status)
            self._respond(context_id, command, status)

        return Refused(answer)

    def _answer_store(self, context_id: int, command: Command, outcome: Outcome) -> None:
        if outcome.stored is None:
            self._count_refusal(outcome.status)
        else:
            self.stored += 1
            self.bytes += outcome.size
            self._terms.tally.stored(outcome.stored.result, outcome.size, self._terms.clock.now())
        failpoint("scp.before_answer")
        try:
            self._respond(context_id, command, outcome.status)
            failpoint("scp.after_answer")
        finally:
            if outcome.status.fatal:
                self._terms.archive_failed()

    def _count_refusal(self, status: DimseStatus) -> None:
        self.refused += 1
        self._terms.tally.refused(status.name)

    def _respond(self, context_id: int, command: Command, status: DimseStatus) -> None:
        encoded = encode_response(command, status.code, status.comment)
        maximum_length = self._association.dimse.maximum_pdu_size
        self._connection.send(wrap_command(context_id, encoded, maximum_length))
