"""WADO-RS frames (PS3.18 10.4.1.1.6): frames of an instance, as stored or decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from flask import Blueprint, Response, request

from appliance.archive.reading import StoredInstance
from appliance.dicomweb.frame_media import Ability, frame_offers
from appliance.dicomweb.media_types import MULTIPART, Offer
from appliance.dicomweb.multipart import closing, message_length, part_head
from appliance.dicomweb.problems import Problem
from appliance.web import wado
from appliance.web.answers import Refused, negotiated
from appliance.web.decoding import DecodedFrames, can_decode
from appliance.web.pixels import EXTENSION, FrameTables, stored_pixels
from appliance.web.ranges import cut, ranged
from appliance.web.resources import url_of
from appliance.web.streams import open_stored

MOST_NUMBERS: Final = 4096
LONGEST_NUMBER: Final = 7


@dataclass(frozen=True, slots=True)
class Part:
    """One frame on its way out: its length in bytes and how to read it."""

    number: int
    length: int
    read: Callable[[], Iterator[bytes]]


def blueprint() -> Blueprint:
    """Return the frames resource."""
    frames = Blueprint("frames", __name__)
    frames.record_once(lambda setup: setup.app.extensions.setdefault(EXTENSION, FrameTables()))
    frames.add_url_rule(f"{wado.PATHS['instance']}/frames/<numbers>", "frames", retrieve, methods=["GET"])
    return frames


def retrieve(study_uid: str, series_uid: str, sop_uid: str, numbers: str) -> Response:
    """Answer the frames of a list, in its order: 200, 304; 400, 404, 406."""
    wanted = read_numbers(numbers)
    instance = wado.held_instance(study_uid, series_uid, sop_uid)
    ability = Ability(can_decode(instance), len(wanted) == 1)
    offer = negotiated(*frame_offers(instance.transfer_syntax_uid, ability))
    etag = _etag(instance, wanted, offer)
    if etag in request.if_none_match:
        answer = Response(status=304)
        answer.set_etag(etag)
        return answer
    parts = _decoded(instance, wanted) if offer.decoded else _stored(instance, wanted)
    if offer.type == MULTIPART:
        return _multipart(instance, parts, offer, etag)
    return _single(instance, parts[0], offer, etag)


def read_numbers(text: str) -> list[int]:
    """Return the frame numbers of a path, from 1; ends with 400 for anything else."""
    words = text.split(",")
    good = all(word.isascii() and word.isdecimal() and len(word) <= LONGEST_NUMBER for word in words)
    if not good or len(words) > MOST_NUMBERS or 0 in map(int, words):
        raise Refused(Problem(400, "frames are whole numbers from 1, separated by commas"))
    return [int(word) for word in words]


def _etag(instance: StoredInstance, wanted: Sequence[int], offer: Offer) -> str:
    words = (instance.digest, *map(str, wanted), offer.type, offer.part, offer.transfer_syntax)
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:40]


def _stored(instance: StoredInstance, wanted: Sequence[int]) -> list[Part]:
    pixels = stored_pixels(instance)
    check_numbers(wanted, pixels.count)
    open_stored(instance).close()  # a file that has gone is told before the answer begins
    return [Part(number, pixels.length(number), partial(pixels.read, instance, number)) for number in wanted]


def check_numbers(wanted: Sequence[int], count: int) -> None:
    """End with 404 unless all frames are there."""
    if max(wanted) > count:
        raise Refused(Problem(404, f"the instance has {count} frames"))


def _decoded(instance: StoredInstance, wanted: Sequence[int]) -> list[Part]:
    """Decode before anything is sent, so that what cannot be decoded has an answer of its own."""
    check_numbers(wanted, stored_pixels(instance).count)
    found = DecodedFrames(instance, wanted)
    return [Part(number, found.lengths[index], partial(found.read, index)) for index, number in enumerate(wanted)]


def _labels(instance: StoredInstance, numbers: Sequence[int], type_: str, syntax: str) -> dict[str, str]:
    listed = ",".join(map(str, numbers))
    location = f"{url_of(instance)}/frames/{listed}"
    return {"Content-Type": f"{type_}; transfer-syntax={syntax}", "Content-Location": location}


def _multipart(instance: StoredInstance, parts: Sequence[Part], offer: Offer, etag: str) -> Response:
    # The same frames always get the same boundary: the ETag names these very bytes.
    boundary = f"frames-{etag}"
    heads = [
        part_head(boundary, {
            **_labels(instance, [part.number], offer.part, offer.transfer_syntax),
            "Content-Length": str(part.length),
        })
        for part in parts
    ]  # fmt: skip

    def body() -> Iterator[bytes]:
        for head, part in zip(heads, parts, strict=True):
            yield head
            yield from part.read()
        yield closing(boundary)

    answer = Response(body(), content_type=f'{MULTIPART}; type="{offer.part}"; boundary={boundary}')
    answer.content_length = message_length(heads, (part.length for part in parts), boundary)
    answer.set_etag(etag)
    return answer


def _single(instance: StoredInstance, part: Part, offer: Offer, etag: str) -> Response:
    labels = _labels(instance, [part.number], offer.type, offer.transfer_syntax)

    def read(start: int, size: int) -> Iterator[bytes]:
        return cut(part.read(), start, size)

    answer = ranged(read, part.length, labels["Content-Type"], etag)
    answer.headers["Content-Location"] = labels["Content-Location"]
    return answer
