"""Tables of the DICOM Conformance Statement (PS3.2), made from what the door really does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from appliance.model.syntaxes import storable_syntaxes
from appliance.scp.contexts import NOT_OF_A_STUDY, storage_classes
from appliance.scp.pdu import CALLED_NOT_RECOGNISED, CALLING_NOT_RECOGNISED, TEMPORARY_CONGESTION, Rejection
from appliance.scp.status import STORE_STATUSES, UNRECOGNISED_OPERATION

_BLOCK = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables() -> dict[str, str]:
    """Markdown tables by the name under which docs/conformance.md holds them."""
    return {
        "storage-classes": table(("SOP class", "UID"), ((name, uid) for uid, name in _classes())),
        "not-accepted": table(("UID",), ((uid,) for uid in sorted(NOT_OF_A_STUDY))),
        "transfer-syntaxes": table(("Transfer syntax", "UID", "Loss"), _syntaxes()),
        "store-statuses": table(("Status", "Error Comment"), _statuses()),
        "rejections": table(("Result", "Source", "Reason", "When"), _rejections()),
    }


def render(text: str, made: Mapping[str, str]) -> str:
    """`text` with every block between `<!-- table: NAME -->` and `<!-- end -->` made anew; `made` holds the tables."""
    return _BLOCK.sub(lambda block: block.group(1) + made[block.group(2)] + block.group(3), text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """One table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _classes() -> Iterable[tuple[str, str]]:
    return storage_classes().items()


def _syntaxes() -> Iterable[Sequence[str]]:
    for syntax in storable_syntaxes():
        yield syntax.name, syntax.uid, "lossy" if syntax.lossy else "none"


def _statuses() -> Iterable[Sequence[str]]:
    for status in sorted((*STORE_STATUSES, UNRECOGNISED_OPERATION), key=lambda status: status.code):
        yield f"0x{status.code:04X}", status.comment or "(success)"


def _rejections() -> Iterable[Sequence[str]]:
    yield *_codes(CALLING_NOT_RECOGNISED), "unknown calling AE title, or a known one from another address"
    yield *_codes(CALLED_NOT_RECOGNISED), "called AE title is not ours and `scp.require_called_ae` is set"
    yield *_codes(TEMPORARY_CONGESTION), "`scp.max_associations` or `scp.max_associations_per_peer` reached"


def _codes(rejection: Rejection) -> tuple[str, str, str]:
    return str(rejection.result), str(rejection.source), str(rejection.reason)
