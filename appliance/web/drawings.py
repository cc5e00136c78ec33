"""Stored instances drawn by the codec, as answers with an ETag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from flask import Response, request

from appliance.archive.reading import StoredInstance
from appliance.codec.outcome import Outcome
from appliance.codec.source import Source
from appliance.dicomweb.problems import Problem
from appliance.errors import ArchiveError
from appliance.web.answers import Refused
from appliance.web.prepared_frames import source_of
from appliance.web.services import services

# Part of every ETag: a new one when the same request would be drawn otherwise than before.
DRAWING_VERSION: Final = 1

Arguments = Mapping[str, Any]


def held_source(instance: StoredInstance) -> Source:
    """Return what the codec works on, fetched back if need be; ends as `Recalling.here` does."""
    return source_of(services().recalling.here(instance))


def draw(operation: str, instance: StoredInstance, arguments: Arguments) -> Outcome:
    """Let the codec work on an instance. Raises CodecFault; ends with 400 for a wish that does not fit it."""
    try:
        outcome = services().codec.run(operation, held_source(instance), arguments)
    except OSError as error:
        raise ArchiveError("a stored file cannot be opened", hint="run appliance fsck") from error
    misasked = outcome.facts.get("misasked")
    if misasked:
        raise Refused(Problem(400, str(misasked)))
    return outcome


def etag_of(operation: str, digests: str, arguments: Arguments) -> str:
    """Return the name of what is drawn from objects of these digests with these arguments."""
    words = json.dumps([DRAWING_VERSION, operation, digests, arguments], sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()[:40]


def known_to_client(etag: str) -> Response | None:
    """Return 304 when the client has the drawing already: nothing needs to be drawn then."""
    if not request.if_none_match.contains(etag):
        return None
    answer = Response(status=304)
    answer.set_etag(etag)
    return answer


def drawing(operation: str, instance: StoredInstance, arguments: Arguments, content_type: str) -> Response:
    """Answer one drawing: 200, 304; 400, 404 and the statuses of CodecFault."""
    etag = etag_of(operation, instance.digest, arguments)
    known = known_to_client(etag)
    if known is not None:
        return known
    answer = Response(draw(operation, instance, arguments).data, content_type=content_type)
    answer.set_etag(etag)
    return answer
