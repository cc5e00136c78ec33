"""Pictures drawn by the codec's children against those of Orthanc's own rendering, within one grey level."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
from PIL import Image
from pydicom.data import get_testdata_file

from appliance.codec.pool import Limits, Pool
from tests.integration.codec.test_drawn_pixels import ONE_LEVEL, difference, picture_of
from tests.partners.orthanc import Orthanc

SECONDS = 20
# Orthanc takes no window from these objects by itself, so that theirs is asked of both.
FILES = (
    ("CT_small.dcm", ()),
    ("MR_small.dcm", (600, 1600)),
    ("MR_small_jpeg_ls_lossless.dcm", (600, 1600)),
    ("693_UNCI.dcm", (40, 100)),
    ("RG3_UNCI.dcm", (550, 1024)),
    ("OBXXXX1A.dcm", ()),
    ("SC_rgb.dcm", ()),
    ("examples_ybr_color.dcm", ()),
    ("SC_rgb_dcmtk_+eb+cy+np.dcm", ()),
)


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """A server for all of them."""
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as started:
        yield started


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """One child is enough."""
    pool = Pool(Limits(workers=1))
    yield pool
    pool.close()


@pytest.mark.parametrize(("name", "window"), FILES)
def test_a_drawing_equals_orthancs(pool: Pool, orthanc: Orthanc, name: str, window: tuple[float, ...]) -> None:
    path = Path(str(get_testdata_file(name)))
    header = pydicom.dcmread(path, stop_before_pixels=True)
    requests.post(f"{orthanc.url}/instances", data=path.read_bytes(), timeout=SECONDS).raise_for_status()
    url = (
        f"{orthanc.dicomweb}/studies/{header.StudyInstanceUID}/series/{header.SeriesInstanceUID}"
        f"/instances/{header.SOPInstanceUID}/frames/1/rendered"
    )
    # The commas stand in the URL as they are: Orthanc does not take them escaped.
    query = f"?window={','.join([*map(str, window), 'linear'])}" if window else ""
    answer = requests.get(url + query, headers={"Accept": "image/png"}, timeout=SECONDS)
    assert answer.status_code == 200
    arguments = {"window": [*window, "LINEAR"]} if window else {}
    theirs = np.asarray(Image.open(BytesIO(answer.content)))
    assert difference(picture_of(pool, path, **arguments), theirs) <= ONE_LEVEL
