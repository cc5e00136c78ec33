"""The instance that stands for a study or series in one picture."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.archive.reading import StoredInstance
from appliance.model.attributes import Level, find_attribute
from appliance.model.matching import Query
from appliance.web.services import services


def representative(instances: Sequence[StoredInstance]) -> StoredInstance:
    """Return the middle image of the first series that has any; without images the first instance.

    Ends with 404 when the bytes of none are held here or to be fetched back.
    """
    recalling = services().recalling
    held = [instance for instance in instances if recalling.can_give(instance)] or [recalling.here(instances[0])]
    images = with_pixels(held) if len(held) > 1 else held
    first_series = [image for image in images if image.series_uid == images[0].series_uid]
    return first_series[len(first_series) // 2] if first_series else held[0]


def with_pixels(instances: Sequence[StoredInstance]) -> list[StoredInstance]:
    """Return the instances that the index knows to have rows of pixels, in their order."""
    studies = {instance.study_uid for instance in instances}
    series = {instance.series_uid for instance in instances}
    wanted = [found for name in ("SOPInstanceUID", "Rows") if (found := find_attribute(name)) is not None]
    images: set[object] = set()
    for study_uid in studies:
        query = Query(
            Level.INSTANCE,
            study_uid=study_uid,
            series_uid=next(iter(series)) if len(series) == 1 else None,
            limit=len(instances) + 1000,
        )
        rows = services().archive.search.find(query, wanted)
        images.update(row["SOPInstanceUID"] for row in rows if row["Rows"])
    return [instance for instance in instances if instance.sop_uid in images]
