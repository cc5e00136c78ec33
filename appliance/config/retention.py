"""The table `retention`: how much the box keeps once others have proven to hold it, too."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.config.kinds import Count, Name
from appliance.config.section import Section

AgeInDays = Annotated[float, Field(gt=0, le=36500, allow_inf_nan=False)]
Interval = Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)]
Days = Annotated[float, Field(ge=0, le=36500, allow_inf_nan=False)]
POLICY = ("max_bytes", "min_free_bytes", "max_age_days", "keep_days")


class RetentionSection(Section):
    """What may leave the box again. Nothing does while none of the three limits is set."""

    max_bytes: Count | None = None
    """Most bytes of objects held on the box; unset means no such limit."""

    min_free_bytes: Count | None = None
    """Free space, in bytes, that is kept on the disk; more than `archive.reserve_bytes`. Unset: no such limit."""

    max_age_days: AgeInDays | None = None
    """Days after the last arrival or view of a study at which its objects may go anyway; unset means never."""

    keep_days: Days = 1.0
    """Days in which no object is evicted after its arrival, whatever the other limits say."""

    interval_seconds: Interval = 300.0
    """Seconds between two looks at the limits. 0: sync only looks, and a timer evicts (`appliance retention run`)."""

    recall_from: Name | None = None
    """Sink of kind `stow` that evicted objects are fetched back from when somebody opens them; unset: not at all."""
