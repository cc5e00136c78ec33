"""Rendering parameters (PS3.18 8.3.5, 9.1.2.2): query parameters in, arguments of a rendering out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from appliance.dicomweb.params import BadParameter

LARGEST_VIEWPORT: Final = 8192
FUNCTIONS: Final[Mapping[str, str]] = {
    "linear": "LINEAR",
    "linear-exact": "LINEAR_EXACT",
    "linear_exact": "LINEAR_EXACT",
    "sigmoid": "SIGMOID",
}
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(?:[eE][+-]?[0-9]{1,2})?")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")

ANNOTATION_IGNORED: Final = "The annotation parameter is not supported. The picture bears no annotation."
PROFILE_IGNORED: Final = "The iccprofile parameter is not supported. The picture bears no colour profile."

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a rendering is asked for: plain JSON arguments of the codec's "render", and warnings for the answer."""

    arguments: Arguments = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def parse_rendering(parameters: Mapping[str, str]) -> Rendering:
    """Read the parameters of a rendered resource. Raises BadParameter; unknown ones are left to others."""
    arguments: Arguments = {}
    for name, read in _PARAMETERS.items():
        if name in parameters:
            arguments[name] = read(name, parameters[name])
    return Rendering(arguments, _warnings(parameters))


def parse_thumbnail(parameters: Mapping[str, str]) -> Rendering:
    """Read the parameters of a thumbnail: a viewport's size only (PS3.18 10.4.1.1.4). Raises BadParameter."""
    viewport = _viewport("viewport", parameters["viewport"])[:2] if "viewport" in parameters else [200, 200]
    ignored = [name for name in ("window", "quality") if name in parameters]
    warnings = tuple(f"The {name} parameter has no meaning for a thumbnail." for name in ignored)
    return Rendering({"viewport": viewport, "icon": True}, warnings + _warnings(parameters))


def parse_uri_rendering(parameters: Mapping[str, str]) -> Rendering:
    """Read the image parameters of a WADO-URI request (PS3.18 9.1.2.2). Raises BadParameter."""
    arguments: Arguments = {}
    if "frameNumber" in parameters:
        arguments["frame"] = whole("frameNumber", parameters["frameNumber"])
    sizes = [_edge(name, parameters[name]) if name in parameters else 0 for name in ("columns", "rows")]
    if any(sizes):
        arguments["viewport"] = sizes
    if "region" in parameters:
        arguments["region"] = _region(parameters["region"])
    named = [name for name in ("windowCenter", "windowWidth") if name in parameters]
    if len(named) == 1:
        raise BadParameter("windowCenter and windowWidth are given together")
    if named:
        center, width = (_number(name, parameters[name]) for name in named)
        arguments["window"] = _checked_window(center, width, "LINEAR")
    if "imageQuality" in parameters:
        arguments["quality"] = _quality("imageQuality", parameters["imageQuality"])
    return Rendering(arguments, _warnings(parameters))


def whole(name: str, text: str) -> int:
    """Return a whole number, 1 or more. Raises BadParameter."""
    if not _WHOLE.fullmatch(text) or int(text) < 1:
        raise BadParameter(f"{name} must be a whole number, 1 or more")
    return int(text)


def _warnings(parameters: Mapping[str, str]) -> tuple[str, ...]:
    ignored = []
    if parameters.get("annotation"):
        ignored.append(ANNOTATION_IGNORED)
    if parameters.get("iccprofile", "no") != "no":
        ignored.append(PROFILE_IGNORED)
    return tuple(ignored)


def _number(name: str, text: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
    if not math.isfinite(value):
        raise BadParameter(f"{name} holds something that is no number")
    return value


def _edge(name: str, text: str) -> int:
    edge = whole(name, text)
    if edge > LARGEST_VIEWPORT:
        raise BadParameter(f"{name} is larger than {LARGEST_VIEWPORT}")
    return edge


def _quality(name: str, text: str) -> int:
    quality = whole(name, text)
    if quality > 100:
        raise BadParameter(f"{name} must be a whole number from 1 to 100")
    return quality


def _window(name: str, text: str) -> list[Any]:
    parts = text.split(",")
    if len(parts) not in (2, 3):
        raise BadParameter(f"{name} is written center,width,function")
    function = FUNCTIONS.get(parts[2].strip().lower()) if len(parts) == 3 else "LINEAR"
    if function is None:
        raise BadParameter("the function of a window is linear, linear-exact or sigmoid")
    return _checked_window(_number(name, parts[0]), _number(name, parts[1]), function)


def _checked_window(center: float, width: float, function: str) -> list[Any]:
    if width <= 0 or (function == "LINEAR" and width < 1):
        raise BadParameter("the width of a window is 1 or more, and above 0 for linear-exact and sigmoid")
    return [center, width, function]


def _viewport(name: str, text: str) -> list[float]:
    """Read vw,vh[,sx,sy,sw,sh]; what is left empty is 0: the default."""
    parts = text.split(",")
    if len(parts) not in (2, 6):
        raise BadParameter(f"{name} is written width,height or with x,y,width,height of the source after them")
    region = [_number(name, part) if part.strip() else 0.0 for part in parts[2:]]
    if any(start < 0 for start in region[:2]):
        raise BadParameter("a region begins at 0 or beyond")
    return [*(_edge(name, part.strip()) if part.strip() else 0 for part in parts[:2]), *region]


def _region(text: str) -> list[float]:
    edges = [_number("region", part) for part in text.split(",")]
    if len(edges) != 4 or not (0 <= edges[0] < edges[2] <= 1 and 0 <= edges[1] < edges[3] <= 1):
        raise BadParameter("region is written left,top,right,bottom in fractions of the image, from 0 to 1")
    return edges


_PARAMETERS: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "window": _window,
    "viewport": _viewport,
    "quality": _quality,
}
