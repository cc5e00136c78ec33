"""The same source gives the same packages, whoever builds them and where; lintian has nothing to say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.full
@pytest.mark.serial
@pytest.mark.timeout(1200)
def test_a_second_build_from_another_place_gives_the_same_bytes(tmp_path: Path) -> None:
    path = f"{REPOSITORY / 'packaging' / 'deb'}:{REPOSITORY / 'packaging' / 'ohif'}"
    for what in ("build", "check"):
        command = ["env", f"PYTHONPATH={path}", sys.executable, "-m", "deb_build", what, "--output", str(tmp_path)]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
