"""The operation "native": one frame as any reader understands it, explicit VR little endian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from appliance.codec.refusal import NoSuchFrame

if TYPE_CHECKING:
    from appliance.codec.opened import Opened


def native(opened: Opened, arguments: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes]:
    """Return the facts and the bytes of frame `arguments["frame"]`, counted from 1.

    The facts are ImageFacts, and `decoder`: the name of the one that could.
    """
    number = arguments.get("frame", 1)
    if not isinstance(number, int) or number < 1:
        raise NoSuchFrame("frames are counted from 1")
    frame = opened.frame(number)
    return {**frame.facts.document(), "decoder": opened.decoder}, frame.native()
