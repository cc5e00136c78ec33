"""The described API under requests that nobody would write: answers, never a failure of the server."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.builders.instances import ct
from tests.integration.web.client import SECONDS, WebClient

EXAMPLES = 15
SEED = 4


@schemathesis.serializer("multipart/related")
def as_it_is(context: Any, value: Any) -> bytes:
    """Send what was generated as the body, whatever it is."""
    return value if isinstance(value, bytes) else str(value).encode()


def described(web: WebClient) -> Any:
    return schemathesis.openapi.from_dict(web.get("/api/v1/openapi.json").json())


def test_the_description_is_served(web: WebClient) -> None:
    answer = web.get("/api/v1/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["openapi"] == "3.1.0"
    assert "/dicom-web/studies/{study_uid}/series/{series_uid}/metadata" in answer.json()["paths"]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_makes_the_server_fail(web: WebClient, mode: GenerationMode) -> None:
    """A request as described gets an answer as described, and any other one no failure.

    Half of the requests name what is stored, so that they get past the first question.
    """
    dataset = ct()
    web.keep(dataset)
    known = {
        "study_uid": dataset.StudyInstanceUID, "series_uid": dataset.SeriesInstanceUID,
        "sop_uid": dataset.SOPInstanceUID, "numbers": "1", "place": "7FE00010",
        "studyUID": dataset.StudyInstanceUID, "seriesUID": dataset.SeriesInstanceUID,
        "objectUID": dataset.SOPInstanceUID, "requestType": "WADO",
    }  # fmt: skip
    asked = sum(ask(result.ok(), mode, known, web.url) for result in described(web).get_all_operations())
    assert asked > 100


def ask(operation: Any, mode: GenerationMode, known: dict[str, str], url: str) -> int:
    """Ask one operation EXAMPLES things; return how many that were."""
    asked = 0

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    def one(case: Any, real: bool) -> None:
        nonlocal asked
        if real:
            for values in (case.path_parameters, case.query):
                values.update({name: str(known[name]) for name in values or {} if name in known})
        answer = case.call(base_url=url, timeout=SECONDS)
        asked += 1
        foreseen = str(answer.status_code) in operation.definition.raw["responses"]
        what = f"{case.method} {case.formatted_path}: {answer.status_code}"
        assert foreseen or (mode is GenerationMode.NEGATIVE and answer.status_code < 500), what

    one()
    return asked
