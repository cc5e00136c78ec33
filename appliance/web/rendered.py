"""Rendered resources and thumbnails (PS3.18 10.4.1.1.3, 10.4.1.1.4): what a browser shows without a viewer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flask import Blueprint, Response, request

from appliance.archive.reading import StoredInstance
from appliance.dicomweb.media_types import MULTIPART, Offer
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.rendering import Arguments, Rendering, parse_rendering, parse_thumbnail
from appliance.web import papers, wado
from appliance.web.answers import Refused, negotiated, warn
from appliance.web.drawings import drawing
from appliance.web.frames import read_numbers
from appliance.web.kinds import Kind, kind_of
from appliance.web.representative import representative
from appliance.web.sheaf import sheaf

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
SINGLE: Final = (Offer(JPEG), Offer(PNG))
MULTIPLE: Final = (Offer(MULTIPART, part=JPEG), Offer(MULTIPART, part=PNG))

# Objects that are shown otherwise than as pictures: the media type, and who makes it.
PAPERS: Final[Mapping[Kind, tuple[Offer, Callable[[StoredInstance], Response]]]] = {
    Kind.PDF: (Offer(papers.PDF), papers.pdf),
    Kind.REPORT: (Offer(papers.HTML), papers.report),
    Kind.WAVEFORM: (Offer(papers.SVG), papers.waveform),
}


def blueprint() -> Blueprint:
    """Return rendered resources and thumbnails at every level."""
    rendered = Blueprint("rendered", __name__)
    for level, path in wado.PATHS.items():
        rendered.add_url_rule(f"{path}/rendered", f"rendered_{level}", retrieve, methods=["GET"])
        rendered.add_url_rule(f"{path}/thumbnail", f"thumbnail_{level}", thumbnail, methods=["GET"])
    frames = f"{wado.PATHS['instance']}/frames/<numbers>"
    rendered.add_url_rule(f"{frames}/rendered", "rendered_frames", retrieve, methods=["GET"])
    rendered.add_url_rule(f"{frames}/thumbnail", "thumbnail_frames", thumbnail, methods=["GET"])
    return rendered


def retrieve(study_uid: str, series_uid: str = "", sop_uid: str = "", numbers: str = "") -> Response:
    """Answer what is under a path as pictures, or as PDF, HTML or SVG: 200, 206, 304; 400, 404, 406, CodecFault's.

    One picture stands for a study or series (see `representative`), unless multipart/related is asked for:
    then it is every frame of every image.
    """
    rendering = parse_rendering(request.args)
    frames = read_numbers(numbers) if numbers else []
    instances = wado.stored(study_uid, series_uid, sop_uid)
    one = instances[0] if sop_uid else representative(instances)
    paper = kind_of_instance(one)
    if paper in PAPERS and not frames:
        offer, answer_with = PAPERS[paper]
        negotiated(offer)
        return warn(answer_with(one), rendering.warnings)
    offer = negotiated(*(() if len(frames) > 1 else SINGLE), *MULTIPLE)
    if offer.type == MULTIPART:
        return warn(sheaf(instances, frames, {**rendering.arguments, "media_type": offer.part}), rendering.warnings)
    if not sop_uid:
        _refuse_region(rendering.arguments)
        return _picture(one, rendering, offer, 0)
    return _picture(one, rendering, offer, frames[0] if frames else 1)


def thumbnail(study_uid: str, series_uid: str = "", sop_uid: str = "", numbers: str = "") -> Response:
    """Answer a small picture of what is under a path: 200, 304; 400, 404, 406, CodecFault's.

    An object without pixels has one that names its modality.
    """
    rendering = parse_thumbnail(request.args)
    frames = read_numbers(numbers) if numbers else [0]
    instances = wado.stored(study_uid, series_uid, sop_uid)
    offer = negotiated(*SINGLE)
    return _picture(representative(instances), rendering, offer, frames[0])


def kind_of_instance(instance: StoredInstance) -> Kind:
    """Return how an instance is shown; whatever is no paper may have pixels."""
    return kind_of({"SOPClassUID": instance.sop_class_uid, "Rows": 1})


def _picture(instance: StoredInstance, rendering: Rendering, offer: Offer, frame: int) -> Response:
    arguments: Arguments = {**rendering.arguments, "frame": frame, "media_type": offer.type}
    return warn(drawing("render", instance, arguments, offer.type), rendering.warnings)


def _refuse_region(arguments: Arguments) -> None:
    if any(arguments.get("viewport", ())[2:]):
        raise Refused(Problem(400, "a region of a picture is asked of an instance or of frames, not of a whole study"))
