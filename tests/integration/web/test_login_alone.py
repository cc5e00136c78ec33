"""A login with every line cut: in a network of its own, which has a loopback address and nothing else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.instances import ct, part10
from tests.integration.web.client import WebClient, stow_body
from tests.integration.web.test_login import PASSWORD, REQUIRED, add, bearer, enter
from tests.partners.appliance import REPOSITORY, Appliance

SECONDS = 120
CUT = ("unshare", "--net", "--map-root-user", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
ELSEWHERE = ("192.0.2.1", 53)


def look(folder: Path) -> dict[str, int]:
    """Make a box, log in, read, log out; return what each step was answered, and how many others were reached."""
    (folder / "password").write_text(f"{PASSWORD}\n")
    image = ct()
    study, series = image.StudyInstanceUID, image.SeriesInstanceUID
    frame = f"/dicom-web/studies/{study}/series/{series}/instances/{image.SOPInstanceUID}/frames/1"
    paths = {"list": "/", "study": f"/studies/{study}", "search": "/dicom-web/studies", "frame": frame}
    with Appliance(folder / "home", REQUIRED) as box:
        box.command("init")
        add(box, "ann", "viewer")
        box.start("web")
        box.wait_ready("web")
        with WebClient(box.url) as web:
            steps = {"stranger": web.get("/dicom-web/studies").status_code}
            steps["store"] = web.stow(stow_body(part10(image)), **bearer(box, "modality", "technician")).status_code
            steps["login"] = enter(web, "ann").status_code
            steps |= {step: web.get(path).status_code for step, path in paths.items()}
            steps["drawn"] = web.get(f"{frame}/rendered").status_code
            steps["logout"] = web.ask("POST", "/logout").status_code
        return steps | {"elsewhere": reached()}


def reached() -> int:
    """Say whether there is a way to anywhere: 1, or 0."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:
            return 0
    return 1


def can_cut() -> bool:
    """Say whether this machine lets us make a network of our own."""
    return subprocess.run([*CUT, "true"], capture_output=True, check=False, timeout=SECONDS).returncode == 0


def test_a_login_and_reading_work_with_every_line_cut(tmp_path: Path) -> None:
    if not can_cut():
        pytest.skip("this machine lets nobody make a network of their own")
    done = subprocess.run(
        [*CUT, sys.executable, "-m", "tests.integration.web.test_login_alone", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "stranger": 401, "store": 200, "login": 303, "list": 200, "study": 200, "search": 200, "frame": 200,
        "drawn": 200, "logout": 303, "elsewhere": 0,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(look(Path(sys.argv[1]))))
