"""WADO-URI (PS3.18 9): one instance by query parameters, as viewers and reporting systems have asked for decades."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flask import Blueprint, Response, request

from appliance.archive.reading import StoredInstance
from appliance.dicomweb.media_types import DICOM, Offer, choose, parse_accept
from appliance.dicomweb.params import BadParameter
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.rendering import parse_uri_rendering
from appliance.model.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from appliance.web import wado
from appliance.web.answers import Refused, warn
from appliance.web.drawings import drawing
from appliance.web.kinds import Kind
from appliance.web.rendered import JPEG, PAPERS, PNG, kind_of_instance
from appliance.web.transcoding import can_transcode

PATH: Final = "/wado"
# What changes the object, or needs another one: to leave it out silently would show something else.
REFUSED: Final[Mapping[str, str]] = {
    "presentationUID": "presentation states are not applied",
    "presentationSeriesUID": "presentation states are not applied",
}


def blueprint() -> Blueprint:
    """Return the one resource of WADO-URI."""
    wado_uri = Blueprint("wado_uri", __name__)
    wado_uri.add_url_rule(PATH, "retrieve", retrieve, methods=["GET"])
    return wado_uri


def retrieve() -> Response:
    """Answer one instance: 200, 304; 400 for parameters, 404, 406 for a type it cannot be given as, CodecFault's."""
    if request.args.get("requestType") != "WADO":
        raise BadParameter("requestType must be WADO")
    for name, reason in REFUSED.items():
        if request.args.get(name):
            raise BadParameter(f"{name} cannot be followed: {reason}")
    if request.args.get("anonymize", "no") != "no":
        raise BadParameter("objects are not anonymized here")
    instance = wado.held_instance(*(_uid(name) for name in ("studyUID", "seriesUID", "objectUID")))
    kind = kind_of_instance(instance)
    answers = _answers(kind)
    offer = choose(parse_accept(request.args.get("contentType") or ""), [Offer(type_) for type_ in answers])
    if offer is None:
        raise Refused(Problem(406, f"this object is given as {', '.join(answers)}"))
    return answers[offer.type](instance)


def _uid(name: str) -> str:
    uid = request.args.get(name, "")
    if not uid:
        raise BadParameter(f"{name} is missing")
    return uid


def _answers(kind: Kind) -> dict[str, Callable[[StoredInstance], Response]]:
    """Return the media types an object of this kind is given as, the default (PS3.18 9.1.1) first."""
    if kind in PAPERS:
        offer, answer_with = PAPERS[kind]
        first = {offer.type: answer_with}
        return {**first, DICOM: _object} if kind is not Kind.WAVEFORM else {DICOM: _object, **first}
    return {JPEG: _picture, PNG: _png, DICOM: _object}


def _object(instance: StoredInstance) -> Response:
    wanted = request.args.get("transferSyntax", "")
    if wanted in ("", "*", instance.transfer_syntax_uid):
        return wado.whole_file(instance)
    if wanted == EXPLICIT_VR_LITTLE_ENDIAN and can_transcode(instance.transfer_syntax_uid):
        return wado.decoded_file(instance)
    raise Refused(Problem(406, "the object is given as it is stored, or in explicit VR little endian"))


def _picture(instance: StoredInstance, media_type: str = JPEG) -> Response:
    rendering = parse_uri_rendering(request.args)
    arguments = {"frame": 1, **rendering.arguments, "media_type": media_type}
    return warn(drawing("render", instance, arguments, media_type), rendering.warnings)


def _png(instance: StoredInstance) -> Response:
    return _picture(instance, PNG)
