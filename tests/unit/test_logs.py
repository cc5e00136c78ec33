"""Logs: facts on one line, patient data at DEBUG only, libraries kept short."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from appliance.logs import Format, configure, get_logger


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def logged(level: str = "INFO", fmt: Format = "json") -> io.StringIO:
    """Configure, and return what is written to."""
    stream = io.StringIO()
    configure(level, fmt, "scp", stream)
    return stream


def test_a_line_is_one_json_object_with_its_facts() -> None:
    stream = logged()
    get_logger("appliance.scp").info("stored", sop_uid="1.2.3", bytes=5)
    line = json.loads(stream.getvalue())
    assert {
        "event": "stored",
        "sop_uid": "1.2.3",
        "bytes": 5,
        "room": "scp",
        "level": "info",
    }.items() <= line.items()
    assert line["timestamp"].endswith("Z") and line["logger"] == "appliance.scp"


def test_the_level_holds() -> None:
    stream = logged("WARNING")
    get_logger("appliance.scp").info("stored")
    get_logger("appliance.scp").warning("refused")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["refused"]


def test_the_standard_librarys_loggers_are_routed_here() -> None:
    stream = logged(fmt="json")
    logging.getLogger("waitress").error("port %s is taken", 8080)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["room"]) == ("port 8080 is taken", "waitress", "scp")


@pytest.mark.parametrize("name", ["pynetdicom", "pynetdicom.acse", "pydicom"])
def test_libraries_that_print_data_sets_are_silent_below_warning_even_at_debug(name: str) -> None:
    stream = logged("DEBUG")
    logging.getLogger(name).info("(0010,0010) PN [Doe^Jane]")
    logging.getLogger(name).debug("(0010,0010) PN [Doe^Jane]")
    assert not stream.getvalue()


def test_warnings_do_not_carry_values_into_the_log() -> None:
    stream = logged()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("Invalid value for VR PN: 'Doe^Jane'", stacklevel=1)
    assert not stream.getvalue()


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_a_traceback_shows_no_local_variables(fmt: Format) -> None:
    stream = logged(fmt=fmt)
    patient_name = "Doe^Jane"
    try:
        raise OSError("disk gone")
    except OSError:
        get_logger("appliance").exception("failed")
    assert "disk gone" in stream.getvalue()
    assert patient_name not in stream.getvalue()


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_a_traceback_says_where_and_what_kind_and_not_what_was_choked_on(fmt: Format) -> None:
    stream = logged(fmt=fmt)
    for words in ("Doe^Jane", "/media/stick/Doe^Jane.dcm"):
        try:
            try:
                raise OSError(13, "Permission denied", words) if "/" in words else ValueError(words)
            except (OSError, ValueError) as error:
                raise KeyError(f"no place for {words}") from error
        except KeyError:
            get_logger("appliance").exception("failed")
    assert "Doe^Jane" not in stream.getvalue()
    for wanted in ("test_logs.py", "KeyError", "ValueError", "PermissionError: Permission denied"):
        assert wanted in stream.getvalue()


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_what_a_peer_sent_cannot_forge_a_line(fmt: Format) -> None:
    stream = logged(fmt=fmt)
    get_logger("appliance").warning("rejected", ae_title="A\n2024 info forged\x1b[2J")
    logging.getLogger("pynetdicom").warning("called by A\nforged")
    assert len(stream.getvalue().splitlines()) == 2
    assert "\x1b[2J" not in stream.getvalue()
