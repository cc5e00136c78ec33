"""Receipts: what the centre confirms to a site, as signed text, and the pages they travel in. Pure.

A receipt is one JSON text; the signature is over exactly its UTF-8 bytes, so it is kept as it came
and never written anew. `bytes_confirmed`: fsynced and indexed at the receiver. `metadata_confirmed`:
a record (of an image by its digest, of a series by its revision) is in the centre's databases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from appliance.model.uid import is_valid_uid

VERSION: Final = 1
BYTES_CONFIRMED: Final = "bytes_confirmed"
METADATA_CONFIRMED: Final = "metadata_confirmed"
LEVELS: Final = frozenset({BYTES_CONFIRMED, METADATA_CONFIRMED})
MOST_OF_A_PAGE: Final = 1000

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS: Final = (
    "site", "tenant", "level", "study_uid", "series_uid", "sop_uid", "digest", "transfer_syntax_uid", "at",
)  # fmt: skip
_NUMBERS: Final = ("id", "revision")


@dataclass(frozen=True, slots=True)
class Receipt:
    """One confirmation. `at` is in microseconds since 1970, UTC; `id` is the receiver's number of it.

    Of an instance: `sop_uid`, `digest` (64 hexadecimal digits) and `transfer_syntax_uid` are set. Of a
    series' state: `sop_uid` and `digest` are "" and `revision` is above 0. What says less confirms nothing.
    """

    id: int
    site: str
    tenant: str
    level: str
    study_uid: str
    series_uid: str
    sop_uid: str
    digest: str
    transfer_syntax_uid: str
    revision: int
    at: int

    @property
    def of_series(self) -> bool:
        """Whether it is about the state record of a series."""
        return not self.sop_uid


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt's text, and its detached signature in base64url without padding."""

    text: str
    signature: str

    @property
    def proof(self) -> str:
        """Both in one line, as they are kept: the text, a point, the signature."""
        return f"{self.text}.{self.signature}"


@dataclass(frozen=True, slots=True)
class Page:
    """Some receipts in the order of their numbers. `next` is the cursor to ask on with, `more` whether to at once.

    `newest` is the highest number of the site at the receiver: a cursor above it is from before a restore there.
    """

    receipts: tuple[SignedReceipt, ...]
    next: int
    more: bool
    newest: int


def compose(receipt: Receipt) -> str:
    """Write a receipt as the text that is signed; its keys have a fixed order."""
    value = {
        "v": VERSION,
        "id": receipt.id,
        "site": receipt.site,
        "tenant": receipt.tenant,
        "level": receipt.level,
        "study_uid": receipt.study_uid,
        "series_uid": receipt.series_uid,
        "sop_uid": receipt.sop_uid,
        "digest": receipt.digest,
        "transfer_syntax_uid": receipt.transfer_syntax_uid,
        "revision": receipt.revision,
        "at": _moment(receipt.at),
    }
    return json.dumps(value, separators=(",", ":"))


def parse(text: str) -> Receipt:
    """Read a receipt's text; unknown keys are ignored. Raises ValueError, which says what is wrong with it."""
    found = _object(text, "receipt")
    if found.get("v") != VERSION or isinstance(found["v"], bool):
        raise ValueError("a receipt of an unknown version")
    values: dict[str, Any] = {key: _text(found, key) for key in _TEXTS}
    values |= {key: _number(found, key) for key in _NUMBERS}
    values["at"] = _microseconds(values["at"])
    receipt = Receipt(**values)
    _check(receipt)
    return receipt


def compose_page(page: Page) -> str:
    """Write a page as the receiver answers it."""
    receipts = [{"receipt": signed.text, "signature": signed.signature} for signed in page.receipts]
    value = {"receipts": receipts, "next": page.next, "more": page.more, "newest": page.newest}
    return json.dumps(value, separators=(",", ":"))


def parse_page(text: str | bytes) -> Page:
    """Read a page; the receipts in it are neither read nor verified. Raises ValueError."""
    found = _object(text, "page")
    listed, more = found.get("receipts"), found.get("more")
    if not isinstance(listed, list) or len(listed) > MOST_OF_A_PAGE:
        raise ValueError("the page has no list of receipts, or one too long")
    if not isinstance(more, bool):
        raise ValueError("the page does not say whether there is more")
    return Page(tuple(_signed(item) for item in listed), _number(found, "next"), more, _number(found, "newest"))


def _signed(item: object) -> SignedReceipt:
    text, signature = (item.get("receipt"), item.get("signature")) if isinstance(item, dict) else (None, None)
    if not isinstance(text, str) or not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
        raise ValueError("the page holds something that is no signed receipt")
    return SignedReceipt(text, signature)


def _check(receipt: Receipt) -> None:
    for name, holds in (
        ("level", receipt.level in LEVELS),
        ("site", _NAME.fullmatch(receipt.site)),
        ("tenant", _NAME.fullmatch(receipt.tenant)),
        ("id", receipt.id > 0),
        ("study_uid", is_valid_uid(receipt.study_uid)),
        ("series_uid", is_valid_uid(receipt.series_uid)),
        ("sop_uid", is_valid_uid(receipt.sop_uid) or not receipt.sop_uid),
        ("digest", _DIGEST.fullmatch(receipt.digest) or not receipt.digest),
    ):
        if not holds:
            raise ValueError(f"a receipt's {name} is not valid")


def _object(text: str | bytes, what: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"the {what} is no JSON") from None
    if not isinstance(found, dict):
        raise ValueError(f"the {what} is no JSON object")
    return found


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    if not isinstance(value, str):
        raise ValueError(f"a receipt's {key} is no text")
    return value


def _number(found: Mapping[str, Any], key: str) -> int:
    value = found.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise ValueError(f"the {key} is no number")
    return value


def _moment(microseconds: int) -> str:
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _microseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("a receipt's time is no time") from None
    if moment.tzinfo is None:
        raise ValueError("a receipt's time names no zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)
