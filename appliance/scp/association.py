"""One association: negotiated by pynetdicom, its C-STOREs streamed into the archive."""

from __future__ import annotations

from collections.abc import Callable

from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.transport import AddressInformation

from appliance.archive.group2 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from appliance.logs import get_logger
from appliance.scp.command import C_CANCEL_RQ, C_ECHO_RQ, C_STORE_RQ, RESPONSE_BIT, Command
from appliance.scp.command import encode_response, wrap_command
from appliance.scp.contexts import VERIFICATION
from appliance.scp.message import MessageReader, Operation
from appliance.scp.operations import PassedOn, Refused
from appliance.scp.pdu import PduType, ProtocolError, ProviderReason, encode_abort
from appliance.scp.pdv import PduReader
from appliance.scp.progress import Progress
from appliance.scp.status import SOP_CLASS_NOT_SUPPORTED, UNRECOGNISED_OPERATION, DimseStatus
from appliance.scp.storage import Outcome, StoreOperation
from appliance.scp.terms import Caller, Terms
from appliance.scp.transport import Connection, ConnectionOver
from appliance.scp.upper_layer import UpperLayer, Wire

# How long a peer may take to close its side after the last PDU (PS3.8's ARTIM timer).
LINGER = 2.0


class Ended(Exception):
    """The association is over in good order; the message says how."""


class LocalEntity(ApplicationEntity):
    """Our application entity. Slots are counted before an association exists, so none is counted here."""

    @property
    def active_associations(self) -> list[Association]:
        """None, to pynetdicom's own limit."""
        return []


class StorageAssociation(Association):
    """An acceptor with one thread, which waits for the peer and does the work in between.

    `request` is the A-ASSOCIATE-RQ PDU, read and admitted before. `leave` is called at the very end.
    """

    def __init__(
        self,
        connection: Connection,
        request: bytes,
        caller: Caller,
        terms: Terms,
        leave: Callable[[StorageAssociation], None],
    ) -> None:
        super().__init__(LocalEntity(terms.ae_title), MODE_ACCEPTOR)
        self.name = f"association {caller.address}:{caller.port}"
        self.caller = caller
        self._connection = connection
        self._request = request
        self._terms = terms
        self._leave = leave
        self._origin = caller.origin()
        self._contexts = terms.contexts.preferring(caller.peer.transfer_syntaxes)
        self._messages = MessageReader(self._begin)
        self._reader = PduReader(self, terms.max_pdu)
        self._dismissed = False
        self._active_at = terms.clock.monotonic()
        self._bytes = 0
        self._stored = 0
        self._refused = 0
        self._upper_layer = UpperLayer(self)
        self._introduce()

    def _introduce(self) -> None:
        self.dul = self._upper_layer
        self.set_socket(Wire(self, self._connection))
        caller, acceptor = self.caller, self.acceptor
        acceptor.maximum_length = self._terms.max_pdu
        acceptor.ae_title = self._terms.ae_title
        acceptor.implementation_class_uid = IMPLEMENTATION_CLASS_UID  # type: ignore[assignment]
        acceptor.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self.requestor.address_info = AddressInformation(caller.address, caller.port)

    def _bind_defaults(self) -> None:
        # Without pynetdicom's notification handlers, which format every PDU for a log nobody reads.
        for event in evt._INTERVENTION_EVENTS:
            self.bind(event, evt.get_default_handler(event))

    @property
    def busy(self) -> bool:
        """Whether a message is under way."""
        return self._messages.busy

    def idle_seconds(self) -> float:
        """How long ago the last bytes came (0 while a message is under way)."""
        return 0.0 if self.busy else self._terms.clock.monotonic() - self._active_at

    def dismiss(self) -> None:
        """End this association from another thread: it aborts after what it has received so far."""
        self._dismissed = True
        self._connection.interrupt()

    # The thread.

    def run_reactor(self) -> None:
        """Negotiate, serve until the peer releases, aborts or vanishes, and clean up."""
        begun = self._terms.clock.monotonic()
        log = get_logger(__name__).bind(ae_title=self.caller.titles.calling, address=self.caller.address)
        log.info("association opened", traceparent=self.caller.traceparent)
        ending = "internal fault"
        try:
            ending = self._conduct()
        except Exception as error:  # boundary: one association's fault must not reach the others
            log.exception("association failed", kind=type(error).__name__)
            self._last_words(encode_abort(ProviderReason.NOT_SPECIFIED))
        finally:
            self._messages.abandon()
            self._connection.close(LINGER)
            seconds = round(self._terms.clock.monotonic() - begun, 3)
            counts = {"stored": self._stored, "refused": self._refused, "bytes": self._bytes}
            log.info("association closed", ending=ending, seconds=seconds, **counts)
            self._leave(self)

    def _conduct(self) -> str:
        try:
            self._negotiate()
            self._serve()
        except Ended as ended:
            return str(ended)
        except ProtocolError as error:
            self._last_words(encode_abort(error.reason))
            return f"aborted: {error}"
        except TimeoutError:
            self._last_words(encode_abort(ProviderReason.NOT_SPECIFIED))
            return "aborted: no progress within the network timeout"
        except ConnectionOver as over:
            if not self._dismissed:
                return str(over)
            self._last_words(encode_abort(0, by_user=True))
        return "aborted: the appliance is stopping"

    def _negotiate(self) -> None:
        self._upper_layer.act()
        self._upper_layer.arrive(PduType.ASSOCIATE_RQ, self._request[6:])
        primitive = self._upper_layer.receive_pdu()
        if primitive is None:
            raise Ended("rejected: unsupported protocol version")
        self.requestor.primitive = primitive  # type: ignore[assignment]
        proposed = self.requestor.primitive.presentation_context_definition_list  # type: ignore[union-attr]
        self.acceptor.supported_contexts = self._contexts.supported(proposed)
        self.acse.negotiate_association()
        self._check_pynetdicom()

    def _serve(self) -> None:
        clock = self._terms.clock
        progress = Progress(self._terms.network_timeout, clock.monotonic())
        self._connection.feed_received(self._reader.feed)
        while True:
            received = self._connection.pump(self._reader.feed)
            self._active_at = clock.monotonic()
            if progress.too_slow(self.busy, received, self._active_at):
                raise TimeoutError

    def _check_pynetdicom(self) -> None:
        """Find out whether a service of pynetdicom's ended the association or lost the connection."""
        if not self.is_established or self.acse.is_aborted():
            raise Ended("ended by negotiation or service")

    def _last_words(self, pdu: bytes) -> None:
        try:
            self._connection.send(pdu)
        except ConnectionOver:
            pass

    # PduSink.

    def fragment(self, context_id: int, is_command: bool, is_last: bool, data: memoryview) -> None:
        """A piece of a message."""
        self._messages.fragment(context_id, is_command, is_last, data)

    def control(self, pdu_type: int, body: bytes) -> None:
        """A-RELEASE-RQ or A-ABORT from the peer: the association ends, a message under way is forgotten."""
        incomplete = self.busy
        self._messages.abandon()
        self._upper_layer.arrive(pdu_type, body)
        if pdu_type == PduType.ABORT:
            raise Ended("aborted by peer")
        if self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released = True
        raise Ended("released in the middle of a message" if incomplete else "released")

    # Operations.

    def _begin(self, context_id: int, command: Command, encoded: bytes) -> Operation:
        context = self._accepted_cx.get(context_id)
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
        return PassedOn(self.dimse, context_id, encoded, self._serve_pynetdicom)

    def _store(self, context_id: int, command: Command, abstract_syntax: str, syntax: str) -> Operation:
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
                self._refused += 1
                self._terms.tally.refused(status.name)
            self._respond(context_id, command, status)

        return Refused(answer)

    def _answer_store(self, context_id: int, command: Command, outcome: Outcome) -> None:
        tally = self._terms.tally
        if outcome.stored is None:
            self._refused += 1
            tally.refused(outcome.status.name)
        else:
            self._stored += 1
            self._bytes += outcome.size
            tally.stored(outcome.stored.result, outcome.size, self._terms.clock.now())
        self._respond(context_id, command, outcome.status)
        if outcome.status.fatal:
            self._terms.archive_failed()

    def _respond(self, context_id: int, command: Command, status: DimseStatus) -> None:
        encoded = encode_response(command, status.code, status.comment)
        self._connection.send(wrap_command(context_id, encoded, self.dimse.maximum_pdu_size))

    def _serve_pynetdicom(self) -> None:
        context_id, message = self.dimse.get_msg()
        if message is not None and context_id is not None:
            self._serve_request(message, context_id)
        self._check_pynetdicom()
