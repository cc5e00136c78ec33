"""The table `backup`: the copies that the timer takes, and how many of them are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.config.kinds import AbsolutePath, Count
from appliance.config.section import Section

KeptDays = Annotated[float, Field(gt=0, le=36500, allow_inf_nan=False)]


class BackupSection(Section):
    """Copies on another disk. The timer takes none while `directory` is unset."""

    directory: AbsolutePath | None = None
    """Directory on another disk that the daily backup goes to; unset means there is none."""

    keep: Count | None = 14
    """How many of the newest snapshots are kept; what neither this nor `keep_days` keeps is removed."""

    keep_days: KeptDays | None = None
    """Days for which snapshots are kept; unset means that only `keep` counts."""

    with_secrets: bool = False
    """Copy private keys and credentials, too. Whoever has the disk then can speak as this box."""
