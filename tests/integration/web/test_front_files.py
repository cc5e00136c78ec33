"""Stored files that nginx sends from the disk: the same bytes and headers as from the room, and nothing else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pydicom import Dataset

from tests.builders.instances import ct, part10
from tests.integration.web.client import WebClient, stow_body
from tests.integration.web.front import Front
from tests.partners.nginx import Nginx

DICOM = "application/dicom"
OWN_OF_NGINX = {"Server", "Date", "Connection", "Strict-Transport-Security"}
# A group that nobody is in.
FILES_GROUP = 64_999


@pytest.fixture(scope="module")
def image(front: Front) -> Dataset:
    """A stored image."""
    dataset = ct(PixelData=bytes(range(256)) * 2000, Rows=500, Columns=512)
    with front.client() as outside:
        assert outside.stow(stow_body(part10(dataset)), **front.tokens["technician"]).status_code == 200
    return dataset


@pytest.fixture
def near(front: Front) -> Iterator[WebClient]:
    """Somebody on the box itself, who asks the room."""
    with WebClient(front.box.url) as client:
        yield client


def path_of(image: Dataset) -> str:
    """The instance's resource."""
    return (
        f"/dicom-web/studies/{image.StudyInstanceUID}/series/{image.SeriesInstanceUID}/instances/{image.SOPInstanceUID}"
    )


def accelerated(front: Front) -> int:
    """How many files nginx has sent itself."""
    return front.log().count('"GET /dicom-edge-stored/default/')


def same(one: requests.Response, other: requests.Response) -> bool:
    """Whether two answers have the same status, bytes and headers, but for nginx's own and the spelling of names."""
    told = [
        {name.lower(): value for name, value in answer.headers.items() if name not in OWN_OF_NGINX}
        for answer in (one, other)
    ]
    assert told[0] == told[1]
    return (one.status_code, one.content) == (other.status_code, other.content)


def test_nginx_sends_what_the_room_would(front: Front, outside: WebClient, near: WebClient, image: Dataset) -> None:
    before, viewer = accelerated(front), front.tokens["viewer"]
    wado = f"/wado?requestType=WADO&studyUID={image.StudyInstanceUID}&seriesUID={image.SeriesInstanceUID}"
    paths = (path_of(image), f"{wado}&objectUID={image.SOPInstanceUID}&contentType=application%2Fdicom")
    for path in paths:
        assert same(outside.get(path, DICOM, **viewer), near.get(path, DICOM, **viewer))
    assert accelerated(front) == before + len(paths)


def test_parts_and_conditions_are_the_rooms_to_judge(
    front: Front, outside: WebClient, near: WebClient, image: Dataset
) -> None:
    before, viewer = accelerated(front), front.tokens["viewer"]
    etag = near.get(path_of(image), DICOM, **viewer).headers["ETag"]
    for headers, status in (
        ({"Range": "bytes=100-199"}, 206),
        ({"Range": "bytes=99999999-"}, 416),
        ({"Range": "bytes=0-9", "If_Range": etag}, 206),
        ({"Range": "bytes=0-9", "If_Range": '"other"'}, 200),
        ({"If_None_Match": etag}, 304),
        ({"If_Modified_Since": "Fri, 01 Jan 2038 00:00:00 GMT"}, 200),
        ({"If_Match": '"other"'}, 200),
    ):
        told = [web.get(path_of(image), DICOM, **viewer, **headers) for web in (outside, near)]
        # nginx compares If-Match itself, as it may (RFC 9110 13.1.1); the room knows no such condition.
        if "If_Match" not in headers:
            assert same(*told), headers
            assert told[0].status_code == status, headers
    assert accelerated(front) == before
    head = [web.ask("HEAD", path_of(image), headers={"Accept": DICOM, **viewer}) for web in (outside, near)]
    assert same(*head)


def test_what_is_no_whole_file_comes_from_the_room(front: Front, outside: WebClient, image: Dataset) -> None:
    before, viewer = accelerated(front), front.tokens["viewer"]
    for path, accept in (
        (path_of(image), 'multipart/related; type="application/dicom"'),
        (f"{path_of(image)}/frames/1", "application/octet-stream"),
        (f"{path_of(image)}/metadata", "application/dicom+json"),
    ):
        assert outside.get(path, accept, **viewer).status_code == 200
    assert accelerated(front) == before


def test_who_may_not_read_gets_no_file(front: Front, outside: WebClient, image: Dataset) -> None:
    before = accelerated(front)
    assert outside.get(path_of(image), DICOM).status_code == 401
    assert outside.get(path_of(image), DICOM, **front.tokens["monitor"]).status_code == 403
    assert accelerated(front) == before


def test_a_way_into_the_archive_is_not_for_callers_to_name(
    front: Front, outside: WebClient, near: WebClient, image: Dataset
) -> None:
    viewer = front.tokens["viewer"]
    wanted = near.get(path_of(image), DICOM, **viewer)
    assert same(outside.get(path_of(image), DICOM, X_Edge_Stored="/etc/", **viewer), wanted)
    assert near.get(path_of(image), DICOM, X_Edge_Stored="/etc/", **viewer).status_code == 403


def test_where_nginx_cannot_read_the_room_sends(front: Front, near: WebClient, image: Dataset, tmp_path: Path) -> None:
    socket, viewer = front.box.home.parent / "web.sock", front.tokens["viewer"]
    with (
        Nginx(tmp_path / "n", socket, tmp_path / "elsewhere") as nginx,
        WebClient(nginx.url, nginx.trusted) as outside,
    ):
        assert same(outside.get(path_of(image), DICOM, **viewer), near.get(path_of(image), DICOM, **viewer))


@pytest.mark.skipif(os.getuid() != 0, reason="gives files to another group")
def test_what_is_stored_is_of_the_group_that_may_send_it(front: Front, outside: WebClient) -> None:
    archive, spool = front.box.home / "archive", front.box.home / "spool"
    for folder, mode in ((archive, 0o2750), (spool, 0o2700)):
        os.chown(folder, -1, FILES_GROUP)
        folder.chmod(mode)
    for entry in (*spool.iterdir(), *archive.iterdir()):
        os.chown(entry, -1, FILES_GROUP)
        entry.chmod(0o2750)
    dataset = ct()
    assert outside.stow(stow_body(part10(dataset)), **front.tokens["technician"]).status_code == 200
    (file,) = archive.glob(f"*/{dataset.StudyInstanceUID}/*/*.dcm")
    facts = file.stat()
    assert (facts.st_gid, stat.S_IMODE(facts.st_mode) & 0o040) == (FILES_GROUP, 0o040)
    for folder in (file.parent, file.parent.parent):
        facts = folder.stat()
        assert (facts.st_gid, stat.S_IMODE(facts.st_mode) & 0o2050) == (FILES_GROUP, 0o2050)
