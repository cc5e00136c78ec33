"""The note that a home is being restored: until it is gone, the home is nobody's to work on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from appliance.errors import SchemaMismatch

NOTE: Final = "restoring.json"


def refuse_half_restored(home: Path) -> None:
    """Raise SchemaMismatch when a restoration into `home` has begun and not ended."""
    if (home / NOTE).exists():
        raise SchemaMismatch(
            f"the restoration of a backup into {home} has not ended", hint="run the same `appliance restore` again"
        )
