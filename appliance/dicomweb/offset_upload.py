"""One huge instance in pieces that can be resumed: the tus 1.0 core protocol, with a store response at the end.

    OPTIONS uploads                     Tus-Resumable: 1.0.0, Tus-Extension: creation
    POST    uploads                     Upload-Length, Upload-Metadata -> 201, Location, Upload-Offset
    HEAD    Location                    -> 200, Upload-Offset
    PATCH   Location                    Upload-Offset, bytes -> 204, Upload-Offset, until all are there
    the last PATCH                      -> 200 or 409 with a store response (PS3.18) naming the digest

The metadata are the UIDs, the transfer syntax and the digest. A service that still has an unfinished
upload of the same digest answers POST with its Location and the offset reached, so that a
sender that forgot everything goes on where it was. When the last answer is lost, an empty PATCH at the
full offset gives it again. docs/forwarding-stow.md has the whole of it.

Many services see a request only once it is whole, so that nothing of a piece counts that broke off. Pieces
therefore shrink with every interruption, until they pass between two of them, and grow again on a line that holds.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

from appliance.dicomweb.client import DicomwebClient, Reply, read_reply, refused
from appliance.dicomweb.faults import NoAnswer
from appliance.dicomweb.outgoing import Instance, Slice
from appliance.failpoints import failpoint

VERSION: Final = "1.0.0"
PIECE_BYTES: Final = 64 << 20
LEAST_PIECE_BYTES: Final = 256 << 10
# Down fast: every piece that breaks off is lost. Up slowly: a line that resets every few MB lets some small ones pass.
SHRINK: Final = 4
GROW: Final = 2
GROW_AFTER: Final = 8
TRIES: Final = 3
# What a service answers that is down, busy or does not know us yet: no word about what it offers.
NO_VERDICT: Final = frozenset({401, 403, 407, 408, 425, 429})
OFFSET_TYPE: Final = "application/offset+octet-stream"
_TUS: Final[Mapping[str, str]] = {"Tus-Resumable": VERSION}
_CREATED: Final = frozenset({200, 201})
_GONE: Final = frozenset({404, 410})


class Pieces:
    """How many bytes go in one request: as many as the line lets through. It remembers from object to object."""

    def __init__(self, most: int, least: int = LEAST_PIECE_BYTES) -> None:
        """Begin with `most`."""
        self._most = most
        self._least = min(least, most)
        self._passed = 0
        self.size = most

    @property
    def smallest(self) -> bool:
        """Whether they cannot shrink further."""
        return self.size == self._least

    def passed(self) -> None:
        """A whole piece has arrived: after some in a row, the next ones are larger."""
        self._passed += 1
        if self._passed >= GROW_AFTER:
            self._passed, self.size = 0, min(self.size * GROW, self._most)

    def broken(self) -> None:
        """A piece broke off: the next ones are smaller."""
        self._passed, self.size = 0, max(self.size // SHRINK, self._least)


class OffsetUpload:
    """Sends single instances to one service. One thread at a time."""

    def __init__(
        self, client: DicomwebClient, piece_bytes: int = PIECE_BYTES, least_bytes: int = LEAST_PIECE_BYTES
    ) -> None:  # fmt: skip
        """Take the client, and how many bytes go in one request at most, and at least."""
        self._client = client
        self._url = client.endpoint.uploads()
        self._pieces = Pieces(piece_bytes, least_bytes)
        self._offered: bool | None = None

    def offered(self) -> bool:
        """Say whether the service takes such uploads; asked once. Raises NotReached, NoAnswer, NotTrusted."""
        if self._offered is None:
            reply = self._ask("OPTIONS", self._url, {})
            if reply.status in NO_VERDICT or (reply.status >= 500 and reply.status != 501):
                return False  # it could not say: ask again the next time
            extensions = reply.headers.get("Tus-Extension", "").replace(" ", "").split(",")
            spoken = reply.headers.get("Tus-Version", reply.headers.get("Tus-Resumable", ""))
            is_ours = VERSION in spoken.replace(" ", "").split(",") and "creation" in extensions
            self._offered = reply.status in (200, 204) and is_ours
        return self._offered

    def send(self, instance: Instance, labels: Mapping[str, str]) -> Reply:
        """Send an instance, going on after interruptions, and return the last reply, whatever its status.

        `labels` are the metadata: plain UIDs and the like, no patient data. After TRIES
        interruptions of smallest pieces, or silences, without a byte of progress the error is raised; a
        later call goes on at the offset reached. Raises NotReached, NoAnswer, NotTrusted, Refused, Damaged.
        """
        place, offset = self._create(instance, labels)
        idle = 0
        while True:
            before, fault, last = offset, NoAnswer("the upload makes no progress", hint="see its log"), True
            try:
                reply = self._piece(place, instance, offset)
                if reply.status not in (204, 409) or reply.report:
                    return reply
                if reply.status == 204:
                    self._pieces.passed()
                offset = _offset(reply) if reply.status == 204 else self._reached(place)
            except NoAnswer as error:
                # A smaller piece may pass where this one broke off: only the smallest ones are counted.
                fault, last = error, error.silent or self._pieces.smallest
                self._pieces.broken()
                offset = self._reached(place)
            idle = 0 if offset > before else idle + last
            if idle >= TRIES or not 0 <= offset <= instance.size:
                raise fault

    def _create(self, instance: Instance, labels: Mapping[str, str]) -> tuple[str, int]:
        known = {**labels, "digest": instance.digest}
        metadata = ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in known.items())
        headers = {**_TUS, "Upload-Length": str(instance.size), "Upload-Metadata": metadata}
        with self._client.transport.send("POST", self._url, headers) as answer:
            reply = read_reply(answer)
            place = self._client.transport.location(answer, self._url)
        if reply.status not in _CREATED or not place:
            raise refused(reply)
        return place, _offset(reply) if "Upload-Offset" in reply.headers else 0

    def _piece(self, place: str, instance: Instance, offset: int) -> Reply:
        length = min(self._pieces.size, instance.size - offset)
        body = Slice(instance.path, offset, length)
        headers = {**_TUS, "Content-Type": OFFSET_TYPE, "Upload-Offset": str(offset)}
        failpoint("stow.before_piece")
        with self._client.transport.send("PATCH", place, headers, body) as answer:
            reply = read_reply(answer)
        failpoint("stow.after_piece")
        return reply

    def _reached(self, place: str) -> int:
        reply = self._ask_again("HEAD", place, _TUS)
        if reply.status in _GONE:
            raise NoAnswer("the service has given up the unfinished upload", hint="it is begun anew")
        if reply.status not in (200, 204):
            raise refused(reply)
        return _offset(reply)

    def _ask_again(self, method: str, url: str, headers: Mapping[str, str]) -> Reply:
        """Ask, and once more where the answer did not come: the line that broke the piece may still be down."""
        try:
            return self._ask(method, url, headers)
        except NoAnswer as error:
            if error.silent:
                raise
            return self._ask(method, url, headers)

    def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> Reply:
        with self._client.transport.send(method, url, headers) as answer:
            return read_reply(answer)


def _offset(reply: Reply) -> int:
    try:
        return int(reply.headers.get("Upload-Offset", ""))
    except ValueError:
        raise NoAnswer("the service does not say how far the upload has come") from None
