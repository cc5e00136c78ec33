"""Receipts: each site asks, by a cursor, what has been confirmed to it, and gets it signed."""

from __future__ import annotations

from flask import Blueprint, Response, request

from appliance.central.answers import Refused, json_answer
from appliance.central.services import services, site
from appliance.dicomweb.problems import Problem
from appliance.model.receipts import Page, Receipt, SignedReceipt, compose, compose_page

MOST_DIGITS = 18


def blueprint() -> Blueprint:
    """Return the one resource."""
    receipts = Blueprint("receipts", __name__, url_prefix="/edge/v1")
    receipts.add_url_rule("/receipts", "page", page, methods=["GET"])
    return receipts


def page() -> Response:
    """Answer the site's receipts with numbers above `after`, the oldest first, at most `limit`; 400 for no number.

    Asking again with `next` goes on; `more` says that there is more now. `newest` is the site's highest number: a
    cursor above it is from before a restore of this receiver, and whoever has it begins again at 0.
    """
    tools, sender = services(), site()
    after, limit = _number("after", 0), min(_number("limit", tools.receipt_page), tools.receipt_page)
    found = tools.archive.receipts.page(sender.name, sender.tenant, after, max(limit, 1) + 1)
    more, listed = len(found) > max(limit, 1), found[: max(limit, 1)]
    last = listed[-1].id if listed else after
    # Read behind the page, and numbers only grow: `newest` is never below what the page holds.
    newest = tools.archive.receipts.newest(sender.name, sender.tenant)
    return json_answer(compose_page(Page(tuple(map(_signed, listed)), last, more, newest)))


def _signed(receipt: Receipt) -> SignedReceipt:
    text = compose(receipt)
    return SignedReceipt(text, services().signer.header(text.encode()).decode("ascii"))


def _number(name: str, default: int) -> int:
    text = request.args.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or len(text) > MOST_DIGITS:
        raise Refused(Problem(400, f"{name} must be a whole number"))
    return int(text)
