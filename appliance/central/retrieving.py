"""WADO-RS (PS3.18 10.4) of the receiver: single instances back to the tenant they came from, as they were stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from flask import Blueprint, Response

from appliance.archive.reading import StoredInstance
from appliance.central.addresses import ROOT, instance_url
from appliance.central.answers import Refused, check_uids, negotiated
from appliance.central.services import view
from appliance.dicomweb.media_types import DICOM, MULTIPART, Offer
from appliance.dicomweb.multipart import closing, message_length, part_head
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.stored_files import read_file

NOT_HERE = Problem(404, "nothing is stored under these UIDs")


def blueprint() -> Blueprint:
    """Return the one retrieve resource: what a box reads back, or fetches again."""
    retrieving = Blueprint("retrieving", __name__, url_prefix=ROOT)
    path = "/studies/<study_uid>/series/<series_uid>/instances/<sop_uid>"
    retrieving.add_url_rule(path, "instance", retrieve, methods=["GET"])
    return retrieving


def retrieve(study_uid: str, series_uid: str, sop_uid: str) -> Response:
    """Answer one instance in its own transfer syntax: 200, 404 for anything of another tenant, 406."""
    check_uids(study_uid, series_uid, sop_uid)
    held = [one for one in view().reading.instances(study_uid, series_uid, sop_uid) if one.held]
    if not held or not held[0].path.is_file():
        raise Refused(NOT_HERE)
    syntax = held[0].transfer_syntax_uid
    offer = negotiated(Offer(MULTIPART, part=DICOM, transfer_syntax=syntax), Offer(DICOM, transfer_syntax=syntax))
    return (_multipart if offer.type == MULTIPART else _single)(held[0])


def _single(instance: StoredInstance) -> Response:
    answer = Response(read_file(instance.path, instance.file_size), content_type=_type(instance))
    answer.content_length = instance.file_size
    return answer


def _multipart(instance: StoredInstance) -> Response:
    boundary = uuid.uuid4().hex
    head = part_head(boundary, {
        "Content-Type": _type(instance),
        "Content-Location": instance_url(instance.study_uid, instance.series_uid, instance.sop_uid),
        "Content-Length": str(instance.file_size),
    })  # fmt: skip

    def pieces() -> Iterator[bytes]:
        yield head
        yield from read_file(instance.path, instance.file_size)
        yield closing(boundary)

    answer = Response(pieces(), content_type=f'{MULTIPART}; type="{DICOM}"; boundary={boundary}')
    answer.content_length = message_length([head], [instance.file_size], boundary)
    return answer


def _type(instance: StoredInstance) -> str:
    return f"{DICOM}; transfer-syntax={instance.transfer_syntax_uid}"
