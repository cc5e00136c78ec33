"""Fetches the receipts that the centre keeps for this site, page by page."""

from __future__ import annotations

from typing import Final

from appliance.dicomweb.client import read_reply, refused
from appliance.dicomweb.media_types import JSON
from appliance.dicomweb.transport import Transport
from appliance.errors import PeerError
from appliance.model.receipts import Page, parse_page

OK: Final = 200


class NoReceipts(PeerError):
    """The service answers with something that is no page of receipts."""


class ReceiptsClient:
    """Asks one service. One thread at a time; nothing is opened before the first request."""

    def __init__(self, transport: Transport, url: str) -> None:
        """Take the line to the service, and where its receipts are (see Endpoint.receipts)."""
        self._transport = transport
        self._url = url

    def page(self, after: int, limit: int) -> Page:
        """Return the next receipts after number `after`, at most `limit`; none of them is verified yet.

        A repeat is safe. Raises NotReached, NoAnswer, NotTrusted, Stopped, Refused, NoReceipts, ConfigurationError.
        """
        url = f"{self._url}?after={after}&limit={limit}"
        with self._transport.send("GET", url, {"Accept": JSON}) as answer:
            reply = read_reply(answer)
        if reply.status != OK:
            raise refused(reply)
        try:
            page = parse_page(reply.text)
        except ValueError as error:
            raise NoReceipts(str(error), hint="check that the url is that of a receiver") from None
        if len(page.receipts) > limit:
            raise NoReceipts("the page holds more receipts than were asked for")
        return page

    def close(self) -> None:
        """Close the connection. Safe to repeat; the next request opens it anew."""
        self._transport.close()
