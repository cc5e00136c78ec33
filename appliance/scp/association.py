"""One association: negotiated by pynetdicom, its C-STOREs streamed into the archive."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NoReturn, cast

from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.transport import AddressInformation

from appliance.archive.group2 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from appliance.logs import get_logger
from appliance.scp.message import MessageReader
from appliance.scp.pdu import HEADER, PduType, ProtocolError, ProviderReason, encode_abort
from appliance.scp.pdv import PduReader
from appliance.scp.progress import Progress
from appliance.scp.services import Services
from appliance.scp.terms import Caller, Terms
from appliance.scp.transport import Connection, ConnectionOver, Interrupted
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
        self._contexts = terms.contexts.preferring(caller.peer.transfer_syntaxes)
        self._services = Services(self, connection, caller, terms, self._contexts, self._serve_pynetdicom)
        self._messages = MessageReader(self._services.begin)
        self._reader = PduReader(self, terms.max_pdu)
        self._active_at = terms.clock.monotonic()
        self._upper_layer = UpperLayer(self)
        self._introduce()

    def _introduce(self) -> None:
        self.dul = self._upper_layer
        self.set_socket(Wire(self, self._connection))
        acceptor = self.acceptor
        acceptor.maximum_length = self._terms.max_pdu
        acceptor.ae_title = self._terms.ae_title
        acceptor.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        acceptor.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self.requestor.address_info = AddressInformation(self.caller.address, self.caller.port)

    def _bind_defaults(self) -> None:
        # Without pynetdicom's notification handlers, which format every PDU for a log nobody reads.
        for event in evt._INTERVENTION_EVENTS:
            self.bind(event, evt.get_default_handler(event))

    # For other threads.

    def idle_seconds(self) -> float:
        """How long ago the last bytes came (0 while a message is under way)."""
        return 0.0 if self._messages.busy else self._terms.clock.monotonic() - self._active_at

    def dismiss(self) -> None:
        """End this association: what was not answered yet is forgotten, the peer gets an A-ABORT."""
        self._connection.interrupt()

    # The thread.

    def run_reactor(self) -> None:
        """Negotiate, serve until the peer releases, aborts or vanishes, and clean up."""
        begun = self._terms.clock.monotonic()
        log = get_logger(__name__).bind(
            ae_title=self.caller.titles.calling, address=self.caller.address, traceparent=self.caller.traceparent
        )
        log.info("association opened")
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
            done = self._services
            counts = {"stored": done.stored, "refused": done.refused, "bytes": done.bytes}
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
        except Interrupted:
            self._last_words(encode_abort(ProviderReason.NOT_SPECIFIED, by_user=True))
            return "aborted: the appliance is stopping"
        except ConnectionOver as over:
            return str(over)

    def _negotiate(self) -> None:
        self._upper_layer.act()
        self._upper_layer.arrive(PduType.ASSOCIATE_RQ, self._request[HEADER.size :])
        request = cast("A_ASSOCIATE | None", self._upper_layer.receive_pdu())
        if request is None:
            raise Ended("rejected: unsupported protocol version")
        self.requestor.primitive = request
        proposed = request.presentation_context_definition_list
        self.acceptor.supported_contexts = self._contexts.supported(proposed)
        try:
            self.acse.negotiate_association()
        except (ValueError, TypeError, LookupError) as error:
            raise ProtocolError("A-ASSOCIATE-RQ cannot be negotiated") from error
        self._check_pynetdicom()

    def _serve(self) -> NoReturn:
        clock = self._terms.clock
        progress = Progress(self._terms.network_timeout, clock.monotonic())
        self._connection.feed_received(self._reader.feed)
        while True:
            received = self._connection.pump(self._reader.feed)
            self._active_at = clock.monotonic()
            if progress.too_slow(self._messages.busy, received, self._active_at):
                raise TimeoutError

    def _serve_pynetdicom(self) -> None:
        self._upper_layer.act()
        context_id, message = self.dimse.get_msg()
        if message is not None and context_id is not None:
            self._serve_request(message, context_id)
        self._check_pynetdicom()

    def _check_pynetdicom(self) -> None:
        """Find out whether a service of pynetdicom's ended the association or lost the connection."""
        if not self.is_established or self.acse.is_aborted():
            raise Ended("ended while negotiating or by a service")

    def _last_words(self, pdu: bytes) -> None:
        with contextlib.suppress(ConnectionOver, TimeoutError):
            self._connection.send(pdu)

    # PduSink.

    def fragment(self, context_id: int, is_command: bool, is_last: bool, data: memoryview) -> None:
        """A piece of a message."""
        self._messages.fragment(context_id, is_command, is_last, data)

    def control(self, pdu_type: int, body: bytes) -> None:
        """A-RELEASE-RQ or A-ABORT from the peer: the association ends, a message under way is forgotten."""
        incomplete = self._messages.busy
        self._messages.abandon()
        self._upper_layer.arrive(pdu_type, body)
        if pdu_type == PduType.ABORT:
            raise Ended("aborted by peer")
        if self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released = True
        raise Ended("released in the middle of a message" if incomplete else "released")
