"""The operation "render": one frame of an object as a picture file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydicom import Dataset

from appliance.codec.byte_order import to_little_endian
from appliance.codec.drawing import drawn
from appliance.codec.groups import FrameAttributes, number
from appliance.codec.icon import icon
from appliance.codec.image_files import DEFAULT_QUALITY, JPEG, encoded
from appliance.codec.misasked import Misasked
from appliance.codec.viewport import Picture, Viewport, aspect_of, shown
from appliance.codec.windows import LINEAR, Window

if TYPE_CHECKING:
    from appliance.codec.opened import Opened

Answer = tuple[dict[str, Any], bytes]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. `frame` counts from 1; 0 is the one that stands for the object.

    `region` is (left, top, right, bottom) in fractions of the image, before `viewport` is applied.
    With `icon` an object without pixels is answered with a small picture that names its kind.
    """

    frame: int = 1
    media_type: str = JPEG
    quality: int = DEFAULT_QUALITY
    window: Window | None = None
    viewport: Viewport = field(default_factory=Viewport)
    region: tuple[float, ...] = ()
    icon: bool = False


def order_of(arguments: Mapping[str, Any]) -> Order:
    """Return the order that arguments of a task stand for.

    `frame`, `media_type`, `quality`, `window` [center, width, function], `viewport` [across, down,
    left, top, width, height], `region` [left, top, right, bottom], `icon`; all may be absent.
    """
    window = arguments.get("window")
    return Order(
        frame=int(arguments.get("frame", 1)),
        media_type=str(arguments.get("media_type", JPEG)),
        quality=int(arguments.get("quality", DEFAULT_QUALITY)),
        window=Window(float(window[0]), float(window[1]), str((*window, LINEAR)[2])) if window else None,
        viewport=Viewport(*arguments.get("viewport", ())),
        region=tuple(float(edge) for edge in arguments.get("region", ())),
        icon=bool(arguments.get("icon", False)),
    )


def render(opened: Opened, arguments: Mapping[str, Any]) -> Answer:
    """Return facts and the picture file: {media_type, frame, frames, rows, columns} of it.

    A wish that does not fit the object gives no file and the fact {misasked: sentence}. Raises Refusal.
    """
    order = order_of(arguments)
    try:
        return _answer(opened, order)
    except Misasked as error:
        return {"misasked": str(error)}, b""


def _answer(opened: Opened, order: Order) -> Answer:
    dataset = to_little_endian(opened.dataset())
    frames = frames_of(dataset)
    frame = order.frame or representative(dataset, frames)
    if order.icon and not has_pixels(dataset):
        picture = shown(icon(str(dataset.get("Modality") or "")), order.viewport)
    else:
        picture = _drawn(opened, dataset, frame, order)
    facts = {
        "media_type": order.media_type, "frame": frame, "frames": frames,
        "rows": picture.shape[0], "columns": picture.shape[1],
    }  # fmt: skip
    return facts, encoded(picture, order.media_type, order.quality)


def _drawn(opened: Opened, dataset: Dataset, frame: int, order: Order) -> Picture:
    decoded = opened.frame(frame)
    picture = drawn(dataset, frame, decoded.pixels, decoded.facts, order.window)
    return shown(_part(picture, order.region), order.viewport, aspect_of(FrameAttributes(dataset, frame)))


def _part(picture: Picture, region: tuple[float, ...]) -> Picture:
    if not region:
        return picture
    rows, columns = picture.shape[:2]
    left, top, right, bottom = region
    whole = Viewport(left=left * columns, top=top * rows, width=(right - left) * columns, height=(bottom - top) * rows)
    return shown(picture, whole)


def has_pixels(dataset: Dataset) -> bool:
    """Say whether a data set, read without its pixels, describes any."""
    return bool(number(dataset, "Rows")) and bool(number(dataset, "Columns"))


def frames_of(dataset: Dataset) -> int:
    """Return the number of frames, at least 1."""
    return max(1, int(number(dataset, "NumberOfFrames") or 1))


def representative(dataset: Dataset, frames: int) -> int:
    """Return the frame that stands for all: the one the object names, or the middle one."""
    named = int(number(dataset, "RepresentativeFrameNumber") or 0)
    return named if 0 < named <= frames else (frames + 1) // 2
