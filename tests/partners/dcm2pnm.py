"""dcmtk's dcmj2pnm: an independent rendering of DICOM images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.partners.dcmtk import run


def rendering(path: Path, folder: Path, *options: str, frame: int = 1) -> NDArray[np.uint8] | None:
    """Return one frame as dcmtk draws it, None where dcmtk has no decoder or no table for it."""
    picture = folder / f"{path.stem}.png"
    picture.unlink(missing_ok=True)
    run("dcmj2pnm", "+on", "+F", str(frame), *options, path, picture, check=False)
    if not picture.exists():
        return None
    with Image.open(picture) as image:
        return np.asarray(image)
