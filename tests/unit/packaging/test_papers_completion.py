"""The completions cost nothing when a shell starts, and know the verbs when somebody asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from papers.completion import COMMANDS, scripts

from tests.architecture.source import ROOT

MODULES = {"appliance": "appliance", "appliance-pki": "pki"}


@pytest.mark.parametrize("name", COMMANDS)
def test_reading_the_script_starts_no_program(name: str, tmp_path: Path) -> None:
    read = f"set -eu; {scripts()[name]}\ncomplete -p {name}"
    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", read], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith(name)


@pytest.mark.parametrize(
    ("name", "words", "found"),
    [("appliance", "appliance outb", "outbox"), ("appliance-pki", "appliance-pki rev", "revoke")],
)
def test_tab_asks_the_command_itself(name: str, words: str, found: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -c "from {MODULES[name]}.__main__ import main; main()"\n'
    )
    program.chmod(0o755)
    function = f"_{name.replace('-', '_')}_completion"
    ask = f'{scripts()[name]}\nCOMP_WORDS=({words}); COMP_CWORD=1; {function} {name}; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", ask],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == [found]


def test_the_scripts_are_for_being_read_and_not_for_being_run() -> None:
    assert not [name for name, script in scripts().items() if script.startswith("#!")]
