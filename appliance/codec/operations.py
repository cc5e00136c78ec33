"""What a child can be asked for: a table of operations, each loaded when it is first wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from appliance.codec.opened import Opened

Facts = Mapping[str, Any]
# Bytes as a whole, or in pieces that are made while they are sent.
Result = tuple[Facts, bytes | Iterable[bytes]]
Operation = Callable[["Opened", Mapping[str, Any]], Result]

# name -> module:function
OPERATIONS: Final[Mapping[str, str]] = MappingProxyType({
    "native": "appliance.codec.native:native",
    "transcode": "appliance.codec.transcode:transcode",
    "render": "appliance.codec.render:render",
    "report": "appliance.codec.report:report",
    "waveform": "appliance.codec.waveform:waveform",
    "document": "appliance.codec.document:document",
})  # fmt: skip


def find_operation(name: str, table: Mapping[str, str] = OPERATIONS) -> Operation:
    """Return the operation of this name. Raises KeyError for one that is not in the table."""
    module, _, function = table[name].partition(":")
    found: Operation = getattr(import_module(module), function)
    return found
