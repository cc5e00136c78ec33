"""The appliance itself, as its papers name it."""

from __future__ import annotations

from appliance import __version__
from papers.part import Part

NAME = "dicom-edge-appliance"
HOLDER = "The authors of the DICOM edge appliance"


def product() -> Part:
    """The part that all others are inside of."""
    return Part(
        name=NAME,
        version=__version__,
        licence="Apache-2.0",
        purl=f"pkg:generic/{NAME}@{__version__}",
        summary="Receives, keeps, shows and forwards medical images at the edge of a network",
        holders=(HOLDER,),
    )
