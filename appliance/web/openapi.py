"""The description of the JSON API and of DICOMweb (OpenAPI 3.1), made from one table of operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from appliance import __version__
from appliance.dicomweb.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON, MULTIPART, OCTET_STREAM
from appliance.dicomweb.problems import PROBLEM_JSON
from appliance.web.resources import ROOT

Schema = Mapping[str, Any]

TEXT: Final[Schema] = MappingProxyType({"type": "string"})
NUMBER: Final[Schema] = MappingProxyType({"type": "integer", "minimum": 0})
UID: Final[Schema] = MappingProxyType({"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)*$", "maxLength": 64})
FRAMES: Final[Schema] = MappingProxyType({"type": "string", "pattern": "^[1-9][0-9]{0,5}(,[1-9][0-9]{0,5})*$"})
OBJECTS: Final[Schema] = MappingProxyType({"type": "array", "items": {"type": "object"}})
OBJECT: Final[Schema] = MappingProxyType({"type": "object"})
BYTES: Final[Schema] = MappingProxyType({})

# Name of a parameter -> its schema and what it means.
PARAMETERS: Final[Mapping[str, tuple[Schema, str]]] = MappingProxyType({
    "study_uid": (UID, "Study Instance UID"),
    "series_uid": (UID, "Series Instance UID"),
    "sop_uid": (UID, "SOP Instance UID"),
    "numbers": (FRAMES, "Frames, from 1, separated by commas"),
    "place": (TEXT, "Path of tags and item numbers, from a BulkDataURI"),
    "accept": (TEXT, "Stands in for the Accept header"),
    "limit": (NUMBER, "Most results of the answer"),
    "offset": (NUMBER, "Results to pass over"),
    "includefield": (TEXT, "Keywords or tags to answer too, or all"),
    "fuzzymatching": ({"enum": ["true", "false"]}, "Match as people type"),
    "TimezoneOffsetFromUTC": (TEXT, "Time zone of the dates and times in the query, such as +0800"),
    "PatientName": (TEXT, "Any attribute may be matched by keyword or tag"),
    "PatientID": (TEXT, "Patient ID"),
    "AccessionNumber": (TEXT, "Accession Number"),
    "StudyDate": (TEXT, "A day or a range of days"),
    "ModalitiesInStudy": (TEXT, "Modalities of which a study has at least one"),
    "window": (TEXT, "Window centre, width and function"),
    "viewport": (TEXT, "Width and height, and a region"),
    "quality": (NUMBER, "Quality of a JPEG, from 1 to 100"),
    "annotation": (TEXT, "Annotations to burn in"),
    "after": (NUMBER, "A revision: only what has changed since"),
    "requestType": ({"enum": ["WADO"]}, "Always WADO"),
    "studyUID": (UID, "Study Instance UID"),
    "seriesUID": (UID, "Series Instance UID"),
    "objectUID": (UID, "SOP Instance UID"),
    "contentType": (TEXT, "Media types that are wanted"),
})  # fmt: skip

SEARCH: Final = (
    "limit", "offset", "includefield", "fuzzymatching", "TimezoneOffsetFromUTC", "PatientName", "PatientID",
    "AccessionNumber", "StudyDate", "ModalitiesInStudy", "accept",
)  # fmt: skip
RENDERING: Final = ("window", "viewport", "quality", "annotation", "accept")
PICTURES: Final = ("image/jpeg", "image/png")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: what it gives with 200, which other statuses it has, what it takes."""

    path: str
    summary: str
    gives: tuple[str, ...]
    statuses: tuple[int, ...]
    query: tuple[str, ...] = ()
    method: str = "get"
    sends: str = ""


_STUDY: Final = f"{ROOT}/studies/{{study_uid}}"
_SERIES: Final = f"{_STUDY}/series/{{series_uid}}"
_INSTANCE: Final = f"{_SERIES}/instances/{{sop_uid}}"
_FRAMES: Final = f"{_INSTANCE}/frames/{{numbers}}"
_LEVELS: Final = ((_STUDY, "a study"), (_SERIES, "a series"), (_INSTANCE, "an instance"))


def _searches() -> list[Operation]:
    paths = {
        f"{ROOT}/studies": "studies",
        f"{ROOT}/series": "series",
        f"{ROOT}/instances": "instances",
        f"{_STUDY}/series": "the series of a study",
        f"{_STUDY}/instances": "the instances of a study",
        f"{_SERIES}/instances": "the instances of a series",
    }
    gives = (DICOM_JSON, DICOM_XML)
    return [Operation(path, f"Search for {what}", gives, (204, 400, 406), SEARCH) for path, what in paths.items()]


def _retrievals() -> list[Operation]:
    whole, partly = (200, 206, 304, 400, 404, 406, 416, 422, 503, 504), (304, 400, 404, 406)
    made = []
    for path, what in _LEVELS:
        made += [
            Operation(path, f"Retrieve {what}", (MULTIPART, DICOM, "application/zip"), whole, ("accept",)),
            Operation(f"{path}/metadata", f"Metadata of {what}", (DICOM_JSON, DICOM_XML), partly, ("accept",)),
        ]
    frames = (MULTIPART, OCTET_STREAM, *PICTURES)
    return [
        *made,
        Operation(f"{_INSTANCE}/bulkdata/{{place}}", "One bulk value", (OCTET_STREAM, MULTIPART), whole, ("accept",)),
        Operation(_FRAMES, "Frames of an instance", frames, whole, ("accept",)),
    ]


def _renderings() -> list[Operation]:
    statuses = (206, 304, 400, 404, 406, 413, 422, 502, 503, 504)
    made = []
    for path, what in (*_LEVELS, (_FRAMES, "frames")):
        gives = (*PICTURES, MULTIPART, "application/pdf", "text/html", "image/svg+xml")
        made.append(Operation(f"{path}/rendered", f"Pictures of {what}", gives, statuses, RENDERING))
        made.append(Operation(f"{path}/thumbnail", f"A small picture of {what}", PICTURES, statuses, RENDERING))
    return made


def _stores() -> list[Operation]:
    statuses, body = (202, 400, 409, 413, 415, 503, 507), MULTIPART
    return [
        Operation(f"{ROOT}/studies", "Store instances", (DICOM_JSON,), statuses, (), "post", body),
        Operation(_STUDY, "Store instances of one study", (DICOM_JSON,), statuses, (), "post", body),
    ]


def _others() -> list[Operation]:
    uri = ("requestType", "studyUID", "seriesUID", "objectUID", "contentType")
    return [
        Operation("/wado", "WADO-URI", (*PICTURES, DICOM), (304, 400, 404, 406, 422, 502, 503, 504), uri),
        Operation("/api/v1/changes", "Studies that have changed", (JSON,), (400,), ("after",)),
        Operation("/api/v1/studies/{study_uid}/stacks", "What a viewer shows of a study", (JSON,), (400, 404)),
        Operation("/api/v1/openapi.json", "This description", (JSON,), ()),
        Operation("/healthz", "Whether the web room answers", (JSON,), ()),
        Operation("/readyz", "Whether the appliance does its work", (JSON,), (503,)),
        Operation("/metrics", "Metrics for Prometheus", ("text/plain",), ()),
    ]


def operations() -> tuple[Operation, ...]:
    """Return every operation of DICOMweb, the JSON API and the health resources."""
    return (*_searches(), *_retrievals(), *_renderings(), *_stores(), *_others())


def description() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations():
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "DICOM edge appliance", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "security": [{"session": []}, {"token": []}],
        "components": {
            "schemas": {"Problem": _problem()},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "session"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    inside = [name for name in PARAMETERS if f"{{{name}}}" in operation.path]
    parameters = [_parameter(name, "path") for name in inside]
    parameters += [_parameter(name, "query") for name in operation.query]
    answers = {"200": {"description": "OK", "content": {type_: _content(type_) for type_ in operation.gives}}}
    answers |= {str(status): _answer(status, operation) for status in sorted({*operation.statuses, 401, 403})}
    described: dict[str, Any] = {"summary": operation.summary, "parameters": parameters, "responses": answers}
    if operation.sends:
        body = {"required": True, "content": {operation.sends: {"schema": {"type": "string", "format": "binary"}}}}
        described["requestBody"] = body
    return described


def _parameter(name: str, where: str) -> dict[str, Any]:
    schema, meaning = PARAMETERS[name]
    return {"name": name, "in": where, "required": where == "path", "description": meaning, "schema": dict(schema)}


def _content(media_type: str) -> dict[str, Any]:
    schema = {DICOM_JSON: OBJECTS, JSON: OBJECT}.get(media_type, BYTES)
    return {"schema": dict(schema)}


def _answer(status: int, operation: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    # What was stored in part, or not ready, is told in the operation's own media type.
    if status in (202, 206) or (status == 409 and operation.sends) or operation.path == "/readyz":
        return answer | {"content": {type_: _content(type_) for type_ in operation.gives}}
    if status >= 400:
        content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        # Refused at the gate as a problem, behind it object by object.
        objects = operation.gives if status == 403 and operation.sends else ()
        return answer | {"content": content | {type_: _content(type_) for type_ in objects}}
    return answer


def _problem() -> dict[str, Any]:
    texts = {name: {"type": "string"} for name in ("type", "title", "detail", "hint")}
    return {"type": "object", "required": ["title", "status"], "properties": {**texts, "status": {"type": "integer"}}}
