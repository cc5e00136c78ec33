"""The tables of docs/conformance.md, the door's and those that need several rooms. `make reference` writes them."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from appliance.config import Settings
from appliance.model.charsets import character_set
from appliance.scp import conformance
from appliance.tls import CIPHERS
from appliance.web.openapi import Operation, operations
from appliance.web.resources import ROOT
from tests.architecture.reference import default, keys

# PS3.18: which transaction a path belongs to, by what it ends with and by its method.
TRANSACTIONS: Final = MappingProxyType({
    "/rendered": "Retrieve Rendered (10.4)", "/thumbnail": "Retrieve Thumbnail (10.4)",
    "/metadata": "Retrieve Metadata (10.4)", "/bulkdata/{place}": "Retrieve Bulkdata (10.4)",
    "/frames/{numbers}": "Retrieve Frames (10.4)",
})  # fmt: skip
# Defined terms of PS3.3 C.12.1.1.2, with and without code extensions.
NUMBERS: Final = (6, 13, 58, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148, 149, 159, 166, 192, 203)
TERMS: Final = (
    *(f"ISO_IR {number}" for number in NUMBERS),
    *(f"ISO 2022 IR {number}" for number in NUMBERS),
    "GB18030",
    "GBK",
)
NOT_TERMS: Final = frozenset(("ISO_IR 6", "ISO_IR 58", "ISO_IR 87", "ISO_IR 149", "ISO_IR 159", "ISO 2022 IR 192"))
SECTION: Final = "scp."


def tables() -> dict[str, str]:
    """Every table by its name."""
    return conformance.tables() | {
        "dicomweb": conformance.table(("Transaction of PS3.18", "Resource", "Media types"), _dicomweb()),
        "tls": conformance.table(("Version", "Cipher suite"), _suites()),
        "character-sets": conformance.table(("Defined term", "Defined term", "Defined term"), _terms()),
        "parameters": conformance.table(("Parameter", "Default", "Meaning"), _parameters()),
    }


def render(text: str) -> str:
    """`text` with every table made anew."""
    return conformance.render(text, tables())


def _dicomweb() -> Iterable[Sequence[str]]:
    for operation in operations():
        if operation.path.startswith(ROOT) or operation.path == "/wado":
            types = operation.sends or ", ".join(operation.gives)
            yield _transaction(operation), f"`{operation.method.upper()} {operation.path}`", types


def _transaction(operation: Operation) -> str:
    if operation.path == "/wado":
        return "URI: Retrieve (9.4, 9.5)"
    if operation.method == "post":
        return "Studies: Store (10.5)"
    named = (name for ending, name in TRANSACTIONS.items() if operation.path.endswith(ending))
    plain = "Search (10.6)" if operation.summary.startswith("Search") else "Retrieve (10.4)"
    return f"Studies: {next(named, plain)}"


def _suites() -> Iterable[Sequence[str]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(CIPHERS)
    for cipher in context.get_ciphers():
        yield cipher["protocol"].replace("TLSv", "TLS "), cipher["name"]


def _terms() -> Iterable[Sequence[str]]:
    known = [term for term in TERMS if term not in NOT_TERMS and character_set(term).known]
    for start in range(0, len(known), 3):
        row = known[start : start + 3]
        yield row + [""] * (3 - len(row))


def _parameters() -> Iterable[Sequence[str]]:
    for key, field in keys(Settings):
        if key.startswith(SECTION):
            yield f"`{key}`", default(field), str(field.description)


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(render(document.read_text(encoding="utf-8")), encoding="utf-8")
