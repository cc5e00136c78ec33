"""The manual pages say what the commands say, and roff takes them without a complaint."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from papers import man, markdown, roff

from appliance.cli.exit_codes import MEANINGS
from appliance.cli.main import cli
from pki.cli.main import cli as pki
from tests.architecture.reference import keys
from tests.architecture.test_verbs import commands

BUILT = datetime(2026, 11, 1, tzinfo=UTC)
PAGES = man.pages(BUILT)


def told(page: str) -> str:
    """A page as it reads, roughly: without escapes and fonts."""
    plain = re.sub(r"\\f[BIR]|\\&", "", page).replace(r"\-", "-").replace(r"\(aq", "'").replace(r"\e", "\\")
    return plain


def test_every_verb_has_a_page_and_every_verb_below_it_a_section() -> None:
    assert {f"appliance-{name}.1" for name in cli.commands} | {
        "appliance.1",
        "appliance-pki.1",
        "appliance.toml.5",
    } == {*PAGES}
    for command, name in ((cli, "appliance"), (pki, "appliance-pki")):
        for path, _verb in list(commands(command, name))[1:]:
            page = PAGES["appliance-pki.1" if command is pki else f"appliance-{path.split()[1]}.1"]
            assert path in told(page)


def test_every_option_of_a_verb_stands_on_its_page() -> None:
    for path, verb in commands(cli):
        page = told(PAGES["-".join(path.split()[:2]) + ".1"])
        names = [name for option in verb.params for name in option.opts if name.startswith("-")]
        assert not [name for name in names if name not in page], path


def test_every_page_of_a_command_has_exit_status_and_files() -> None:
    for name, page in PAGES.items():
        assert '.SH "FILES"' in page
        assert name.endswith(".5") or '.SH "EXIT STATUS"' in page
    assert all(meaning.split(",")[0].split("'")[0] in told(PAGES["appliance-scp.1"]) for meaning in MEANINGS.values())


def test_every_key_of_the_configuration_stands_on_its_page() -> None:
    page = told(PAGES["appliance.toml.5"])
    assert not [key for key, _field in keys() if key.partition("`")[0] not in page]


def test_the_pages_carry_the_time_of_the_build_and_no_other() -> None:
    assert man.pages(BUILT) == PAGES
    assert all(page.splitlines()[0].split()[3] == "2026-11-01" for page in PAGES.values())


def test_what_roff_takes_for_an_instruction_is_escaped() -> None:
    assert roff.prose(".so /etc/passwd") == r"\&.so /etc/passwd"
    assert roff.prose("it's") == r"it\(aqs"
    assert roff.prose("'quoted'") == r"\&\(aqquoted\(aq"
    assert roff.prose(r"C:\new") == r"C:\enew"
    assert roff.prose("well-known --json `a-b` é") == r"well-known \-\-json \fBa\-b\fR \[u00E9]"


def test_markdown_becomes_headings_lists_code_and_entries() -> None:
    prose = "# T\n\nSee [that](x.md).\n\n## Keys\n\n- one\n  two\n- three\n\n    code -x\n\n"
    text = prose + "| K | D | M |\n|---|---|---|\n| `a` | `1` | means |\n"
    made = "\n".join(markdown.body(text))
    assert made.split("\n")[:2] == [".PP", "See that."]
    assert '.SH "KEYS"' in made
    assert ".IP \\(bu 2\none two\n.IP \\(bu 2\nthree" in made
    assert "\n.nf\ncode \\-x\n.fi" in made
    assert ".TP\n\\fBa\\fR\n[\\fB1\\fR] means" in made


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The pages as files."""
    folder = tmp_path_factory.mktemp("man")
    for name, page in PAGES.items():
        (folder / name).write_text(page, encoding="utf-8")
    return sorted(folder.iterdir())


def test_groff_renders_every_page_without_a_warning(written: list[Path]) -> None:
    for path in written:
        done = subprocess.run(
            ["groff", "-ww", "-z", "-man", "-Tutf8", path], capture_output=True, check=True, timeout=30
        )
        assert done.stderr == b"", path.name


def test_man_shows_a_page(written: list[Path]) -> None:
    environ = {"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MANROFFOPT": "-c", "PAGER": "cat"}
    page = next(path for path in written if path.name == "appliance-status.1")
    done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, check=True, timeout=30, env=environ)
    assert done.stderr == b""
    assert "appliance-status" in re.sub("\x1b\\[[0-9;]*m|.\b", "", done.stdout.decode())
