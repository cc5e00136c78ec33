"""Image files: pictures of 8 bits as JPEG or PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from appliance.codec.misasked import Misasked

Picture = NDArray[np.uint8]

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
DEFAULT_QUALITY: Final = 90


def encoded(picture: Picture, media_type: str, quality: int = DEFAULT_QUALITY) -> bytes:
    """Return the file of a grey (rows, columns) or colour (rows, columns, 3) picture.

    `quality`, 1 to 100, matters to JPEG only. Raises Misasked for another media type.
    """
    writer = _WRITERS.get(media_type)
    if writer is None:
        raise Misasked("Pictures are given as JPEG or PNG.")
    file = BytesIO()
    writer(Image.fromarray(np.ascontiguousarray(picture)), file, quality)
    return file.getvalue()


def _jpeg(image: Image.Image, file: BytesIO, quality: int) -> None:
    # Colour is not subsampled from 90 on: thin coloured lines and text stay readable.
    subsampling = 0 if quality >= DEFAULT_QUALITY else 2
    image.save(file, "JPEG", quality=min(max(quality, 1), 100), subsampling=subsampling)


def _png(image: Image.Image, file: BytesIO, quality: int) -> None:
    # The lightest compression: the line is local, and the processor is shared.
    image.save(file, "PNG", compress_level=1)


_WRITERS: Final[Mapping[str, Callable[[Image.Image, BytesIO, int], None]]] = {JPEG: _jpeg, PNG: _png}
