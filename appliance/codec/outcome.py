"""What a task gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """Plain JSON facts and bytes; `data` is empty when the caller's sink took them as they came."""

    facts: Mapping[str, Any]
    data: bytes = b""
