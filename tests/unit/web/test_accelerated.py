"""Which answers nginx may make from a stored file, and where it is told to look."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Request, Response
from werkzeug.test import EnvironBuilder

from appliance.http.proxies import SAID, Said
from appliance.web.accelerated import REDIRECT, emptied, handed_over


def asking(method: str = "GET", stored: str = "/dicom-edge-stored/", **headers: str) -> Request:
    """A request as it comes from nginx."""
    environ = EnvironBuilder(method=method, headers=list(headers.items())).get_environ()
    return Request({**environ, SAID: Said(stored=stored)})


def answer(status: int = 200) -> Response:
    found = Response(iter([b"abc"]), status)
    found.content_length = 3
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A stored file below a root."""
    file = tmp_path / "north west" / "1.2~a%2f?.dcm"
    file.parent.mkdir()
    file.write_bytes(b"abc")
    return file


def test_the_file_is_named_below_the_location_as_a_path_must_be_written(place: Path, tmp_path: Path) -> None:
    found = handed_over(asking(), answer(), place, 3, tmp_path)
    assert found.headers[REDIRECT] == "/dicom-edge-stored/north%20west/1.2~a%252f%3F.dcm"
    assert found.content_length == 3
    assert (emptied(found).content_length, found.get_data()) == (0, b"")


@pytest.mark.parametrize(
    ("request_", "status", "size"),
    [
        (asking(stored=""), 200, 3),
        (asking("HEAD"), 200, 3),
        (asking(Range="bytes=0-1"), 200, 3),
        (asking(**{"If-Match": "x"}), 200, 3),
        (asking(), 206, 3),
        (asking(), 304, 3),
        (asking(), 200, 4),
    ],
)
def test_anything_but_a_whole_file_is_the_rooms(
    request_: Request, status: int, size: int, place: Path, tmp_path: Path
) -> None:
    found = handed_over(request_, answer(status), place, size, tmp_path)
    assert REDIRECT not in found.headers
    assert emptied(found).get_data() == b"abc"


def test_a_file_elsewhere_is_never_named(place: Path, tmp_path: Path) -> None:
    around = tmp_path / "north west" / ".." / "north west" / place.name
    assert REDIRECT not in handed_over(asking(), answer(), around, 3, tmp_path).headers
    with pytest.raises(ValueError, match="subpath"):
        handed_over(asking(), answer(), place, 3, tmp_path / "other")
    gone = handed_over(asking(), answer(), tmp_path / "gone", 3, tmp_path)
    assert REDIRECT not in gone.headers
