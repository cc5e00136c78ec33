"""A small picture that stands for an object without pixels: a sheet with the name of its modality."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from appliance.codec.viewport import Picture

EDGE: Final = 200
_GROUND: Final = 32
_SHEET: Final = 64
_INK: Final = 208
_CORNER: Final = 32
_SHEET_BOX: Final = (46, 24, 154, 176)
_FONT_SIZE: Final = 28


def icon(modality: str) -> Picture:
    """Return a grey picture, EDGE by EDGE, with up to six letters of the modality on a sheet of paper."""
    image = Image.new("L", (EDGE, EDGE), _GROUND)
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = _SHEET_BOX
    fold = right - _CORNER
    draw.polygon([(left, top), (fold, top), (right, top + _CORNER), (right, bottom), (left, bottom)], fill=_SHEET)
    draw.line([(fold, top), (fold, top + _CORNER), (right, top + _CORNER)], fill=_INK)
    letters = "".join(letter for letter in modality if letter.isascii() and letter.isalnum())[:6]
    draw.text((EDGE / 2, EDGE / 2), letters, fill=_INK, font=ImageFont.load_default(_FONT_SIZE), anchor="mm")
    return np.asarray(image)
