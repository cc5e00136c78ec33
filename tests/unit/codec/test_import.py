"""Importing the codec changes nothing: only a child makes pydicom lenient, for itself."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import pydicom.config
before = pydicom.config.settings.reading_validation_mode
from appliance.codec import operations, opened, transcode
assert pydicom.config.settings.reading_validation_mode == before
opened.read_leniently()
assert pydicom.config.settings.reading_validation_mode == pydicom.config.IGNORE
"""


def test_nothing_happens_at_import() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
