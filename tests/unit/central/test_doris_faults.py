"""Answers of Doris, sorted by whose fault they are; what they quote is never passed on."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.central.doris_faults import Verdict, reason, verdict
from appliance.central.targets import Misdirected, Unavailable

DETAIL = "[ANALYSIS_ERROR]TStatus: errCode = 2, detailMessage = "


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"Status": "Success"}, Verdict.DONE),
        ({"Status": "Success", "NumberFilteredRows": 0}, Verdict.DONE),
        ({"Status": "Success", "NumberFilteredRows": 1}, Verdict.ROWS),
        ({"Status": "Publish Timeout"}, Verdict.DONE),
        ({"Status": "Publish Timeout", "NumberFilteredRows": 1}, Verdict.DONE),
        ({"Status": "Label Already Exists", "ExistingJobStatus": "FINISHED"}, Verdict.DONE),
        ({"Status": "Label Already Exists", "ExistingJobStatus": "RUNNING"}, Verdict.AGAIN),
        ({"Status": "Label Already Exists", "ExistingJobStatus": "PRECOMMITTED"}, Verdict.AGAIN),
        ({"Status": "Label Already Exists", "ExistingJobStatus": ""}, Verdict.AGAIN),
        ({"Status": "Label Already Exists"}, Verdict.AGAIN),
        ({"Status": "Fail", "NumberFilteredRows": 3, "Message": "?"}, Verdict.ROWS),
        (
            {"Status": "Fail", "Message": "[DATA_QUALITY_ERROR]Encountered unqualified data, stop processing"},
            Verdict.ROWS,
        ),
        ({"Status": "Fail", "Message": "[INTERNAL_ERROR]too many filtered rows"}, Verdict.ROWS),
        ({"Status": "Fail", "Message": "all partitions have no load data"}, Verdict.ROWS),
        ({"Status": "Fail", "Message": "[CANCELLED]cancelled: [DATA_QUALITY_ERROR]Encountered"}, Verdict.ROWS),
        ({}, Verdict.AGAIN),
        ({"Status": "Something New"}, Verdict.AGAIN),
        ({"Status": None, "NumberFilteredRows": "3"}, Verdict.AGAIN),
    ],
)
def test_each_answer_has_a_verdict(answer: dict[str, Any], expected: Verdict) -> None:
    assert verdict(answer, "d.t") is expected


@pytest.mark.parametrize(
    "message",
    [
        f"{DETAIL}Access denied for user 'x@10.0.0.1' (using password: YES)",
        f"{DETAIL}unknown database, database=d",
        f"{DETAIL}Unknown table 't'",
        f"{DETAIL}Column has no default value, column=revision",
        f"{DETAIL}Table t has sequence column, need to specify the sequence column",
        "[INTERNAL_ERROR]no valid Basic authorization",
    ],
)
def test_settings_and_schema_are_for_somebody_to_mend(message: str) -> None:
    with pytest.raises(Misdirected) as told:
        verdict({"Status": "Fail", "Message": message}, "d.t")
    assert "d.t" in told.value.message and told.value.hint


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("[MEM_LIMIT_EXCEEDED]memory not enough", "MEM_LIMIT_EXCEEDED"),
        ("tablet error: [E-235]too many versions", "E-235"),
        ("close wait failed, status: -235 Anna^Bell", "-235"),
        ("Anna^Bell", ""),
        ("[INTERNAL_ERROR]no [ANNA] [Anna]", "INTERNAL_ERROR"),
        ("", ""),
    ],
)
def test_the_rest_is_to_wait_for_and_only_its_code_is_told(message: str, code: str) -> None:
    with pytest.raises(Unavailable) as told:
        verdict({"Status": "Fail", "Message": message}, "d.t")
    assert code in told.value.message and "anna" not in told.value.message.lower()


LINE = '. src line [{"patient_name":"column_name[study_uid] Anna"}]; '


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("Reason: column_name[patient_name], the length of input is too long than schema. first 32 bytes of input str:"
         f" [Anna^Bell] schema length: 64; actual length: 70; {LINE}", "patient_name is too long"),
        (f"Reason: column_name[study_uid], null value for not null column, type=DATE{LINE}", "study_uid is missing"),
        (f"Reason: column(study_uid) value is incorrect while strict mode is true, src value is Anna{LINE}",
         "study_uid is no value of the column's type"),
        (f"Reason: column_name[study_uid], something new{LINE}", "the row for its study_uid"),
        (f"Reason: column_name[Anna], null value for not null column{LINE}", "Doris refuses the row"),
        (f"Reason: Parse json data for JsonDoc failed. code: 3{LINE}", "Doris refuses the row"),
        ("[DATA_QUALITY_ERROR]too many filtered rows. first_error_msg: column_name[study_uid], null value for not null "
         "column, type=Varchar(64). Src line: column_name[patient_name] Anna", "study_uid is missing"),
        ("Anna^Bell", "Doris refuses the row"),
        ("", "Doris refuses the row"),
    ],
)  # fmt: skip
def test_a_row_is_told_by_column_and_kind_of_trouble_never_by_value(log: str, expected: str) -> None:
    found = reason(log, {"patient_name", "study_uid"})
    assert found.endswith(expected) and "Anna" not in found


@pytest.mark.parametrize(
    ("message", "doubtful"),
    [
        ("[INTERNAL_ERROR]something nobody knows", True),
        ("[INTERNAL_ERROR]value 'does not support' is odd", True),
        ("[INTERNAL_ERROR]tablet error: -235", False),
        ("[INTERNAL_ERROR]failed to write enough replicas 1/3", False),
        ("[MEM_LIMIT_EXCEEDED]process memory exceeded", False),
        ("[INTERNAL_ERROR]cancelled: load timed out", False),
    ],
)
def test_only_what_no_illness_explains_may_be_about_a_row(message: str, doubtful: bool) -> None:
    with pytest.raises((Unavailable, Misdirected)) as told:
        verdict({"Status": "Fail", "Message": message}, "d.t")
    assert isinstance(told.value, Unavailable | Misdirected) and told.value.doubtful is doubtful
