"""QIDO-RS (PS3.18 10.6): searches for studies, series and instances."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request

from appliance.archive.search import Found
from appliance.dicomweb.dicom_json import Member, row_document
from appliance.dicomweb.dicom_xml import to_xml
from appliance.dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, MULTIPART, Offer
from appliance.dicomweb.multipart import closing, part_head
from appliance.dicomweb.params import SearchRequest, parse_search
from appliance.model.attributes import Level
from appliance.web.answers import json_answer, negotiated, warn
from appliance.web.resources import check_uids, row_url
from appliance.web.services import services

AS_JSON = Offer(DICOM_JSON, aliases=(JSON,))
AS_XML = Offer(MULTIPART, part=DICOM_XML)

PATHS: Mapping[str, Level] = {
    "/studies": Level.STUDY,
    "/series": Level.SERIES,
    "/instances": Level.INSTANCE,
    "/studies/<study_uid>/series": Level.SERIES,
    "/studies/<study_uid>/instances": Level.INSTANCE,
    "/studies/<study_uid>/series/<series_uid>/instances": Level.INSTANCE,
}


def blueprint() -> Blueprint:
    """Return the six search resources."""
    qido = Blueprint("qido", __name__)
    for path, level in PATHS.items():
        name = path.strip("/").replace("/", "_").replace("<", "").replace(">", "")
        qido.add_url_rule(path, name, search, methods=["GET"], defaults={"level": level})
    return qido


def search(level: Level, study_uid: str = "", series_uid: str = "") -> Response:
    """Answer one search: 200, 204 where nothing matches (PS3.18 10.6.3.1); 400, 406."""
    check_uids(*filter(None, (study_uid, series_uid)))
    offer = negotiated(AS_JSON, AS_XML)
    asked = parse_search(
        level,
        list(request.args.items(multi=True)),
        study_uid=study_uid or None,
        series_uid=series_uid or None,
        max_results=services().max_results,
        assumed_minutes=_own_offset(),
    )
    rows, warnings = _found(asked)
    if not rows and asked.query.limit:
        return warn(Response(status=204), warnings)
    documents = [_document(asked, row) for row in rows]
    answer = json_answer(documents, content_type=DICOM_JSON) if offer is AS_JSON else xml_answer(documents)
    return warn(answer, warnings)


def _own_offset() -> int:
    """Return how many minutes east of UTC this box is now."""
    tools = services()
    now = datetime.fromtimestamp(tools.clock.now() / 1_000_000, ZoneInfo(tools.archive.settings.timezone))
    return round((now.utcoffset() or timedelta()).total_seconds() / 60)


def _found(asked: SearchRequest) -> tuple[list[Found], list[str]]:
    """Return the rows, and the warnings; one row more than asked for tells whether there is a rest."""
    index, query = services().archive.search, asked.query
    stored = [attribute for attribute in asked.attributes if attribute.column]
    rows = index.find(replace(query, limit=query.limit + 1), stored)
    warnings = list(asked.warnings)
    if len(rows) > query.limit:
        rest = index.count(query) - query.offset - query.limit
        warnings.append(f"There are {max(rest, 1)} additional results that can be requested")
    return rows[: query.limit], warnings


def _document(asked: SearchRequest, row: Found) -> dict[str, Member]:
    answered = row | {"RetrieveURL": row_url(row)}
    return row_document(asked.attributes, answered)


def xml_answer(documents: list[dict[str, Any]]) -> Response:
    """Return one part per object; 204 for none, because a multipart message has at least one part."""
    if not documents:
        return Response(status=204)
    boundary = uuid.uuid4().hex
    head = part_head(boundary, {"Content-Type": DICOM_XML})
    body = b"".join(head + to_xml(document) for document in documents) + closing(boundary)
    return Response(body, content_type=f'{MULTIPART}; type="{DICOM_XML}"; boundary={boundary}')
