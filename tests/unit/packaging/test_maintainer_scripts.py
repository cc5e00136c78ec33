"""The package's scripts: clean by shellcheck, every question known, every word translated, no secret in sight."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance.care.setup.answers import RULES, Answers, answered
from appliance.places import HOME
from tests.architecture.source import ROOT

FOLDER = ROOT / "packaging" / "debian"
NAME = "dicom-edge-appliance"
SCRIPTS = ("config", "preinst", "postinst", "prerm", "postrm")
TEMPLATES = FOLDER / f"{NAME}.templates"


def script(name: str) -> str:
    """A script's text."""
    return (FOLDER / f"{NAME}.{name}").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_ends_at_the_first_failure_and_is_a_posix_shells(name: str) -> None:
    lines = script(name).splitlines()
    assert lines[0] == "#!/bin/sh"
    assert next(line for line in lines[1:] if line and not line.startswith("#")) == "set -e"
    subprocess.run(["sh", "-n", str(FOLDER / f"{NAME}.{name}")], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_has_nothing_to_say(name: str) -> None:
    # Not followed: debconf's own library. RET is what it answers by.
    command = ["shellcheck", "--shell=sh", "--exclude=SC1091,SC2154", str(FOLDER / f"{NAME}.{name}")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_question_has_a_template_and_every_template_is_used() -> None:
    defined = set(re.findall(rf"^Template: {NAME}/(\S+)$", TEMPLATES.read_text(encoding="utf-8"), re.MULTILINE))
    text = "".join(map(script, SCRIPTS))
    used = set(re.findall(r"\$P/([a-z-]+)\"", text)) | set(re.findall(rf"{NAME}/(purge-data)", text))
    used |= set(re.findall(r"^\s*(?:ask \w+|member|propose|adopt) ([a-z-]+)", text, re.MULTILINE))
    assert used == defined


def test_every_answer_that_is_handed_over_is_one_that_set_up_knows() -> None:
    handed = set(re.findall(r"^\s*member \S+ (\w+)$", script("postinst"), re.MULTILINE)) | {"setup_code"}
    assert handed == set(RULES)


@pytest.mark.parametrize(
    "password",
    ["a \"good\" \\ long $(sentence) `x` 'y' = %s \\n", " blanks at both ends ", "密码是一个好长的句子啊", "x%dé" * 64],
)
def test_an_answer_is_handed_over_as_it_was_given(password: str) -> None:
    functions = re.search(r"^member\(\) \{.*?^answers\(\) \{.*?^\}$", script("postinst"), re.MULTILINE | re.DOTALL)
    assert functions
    debconf = "db_get() { RET=; case $1 in */site) RET=clinic-7;; */admin-password) IFS= read -r RET;; esac; }"
    done = subprocess.run(
        ["sh", "-euc", f'P=x\n{debconf}\n{functions[0]}\ngiven=$(answers)\nprintf "%s" "$given"'],
        input=f"{password}\n", capture_output=True, encoding="utf-8", check=True, env={"LC_ALL": "C", "PATH": "/bin"},
    )  # fmt: skip
    found = answered(done.stdout, Answers(site="other", https_name="pacs.clinic.example"))
    assert (found.site, found.admin_password) == ("clinic-7", password)


def test_what_is_kept_of_the_answers_in_force_is_the_same_in_both_scripts() -> None:
    kept = r"""printf '%s' "\$\w+" \| tr '\\n' ';'"""
    found = [re.findall(kept, script(name)) for name in ("config", "postinst")]
    assert [len(one) for one in found] == [1, 1]


def test_no_answer_reaches_the_environment_or_a_command_line() -> None:
    text = script("postinst")
    assert "export" not in text
    calls = [line for line in text.splitlines() if "$given" in line or "$RET" in line]
    assert all(re.search(r"printf|\[ -n|given=", line) for line in calls), calls
    assert text.index('db_set "$P/admin-password" ""') < text.index("| appliance init --system")


def test_what_a_purge_deletes_is_the_home_and_only_after_a_yes() -> None:
    text = script("postrm")
    assert f"HOME_DIRECTORY={HOME}\n" in text
    assert re.search(r"if agreed_to_delete; then\s+delete_everything", text)
    assert re.search(r"purge-data\nType: boolean\nDefault: false\n", TEMPLATES.read_text(encoding="utf-8"))


def refused(older: str, newer: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the preinst of version `newer` over `older`."""
    command = ["sh", str(FOLDER / f"{NAME}.preinst"), "upgrade", older, newer]
    env = {"PATH": "/usr/bin:/bin", **environ}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def test_a_downgrade_is_refused_with_the_way_out() -> None:
    done = refused("99.0.0-1", "0.1.0-1")
    assert done.returncode == 1
    assert "downgrade" in done.stderr and "restore" in done.stderr and "allow-downgrade" in done.stderr
    assert refused("99.0.0-1", "0.1.0-1", DICOM_EDGE_ALLOW_DOWNGRADE="yes").returncode == 0
    assert refused("0.1.0-1", "0.1.0-1").returncode == 0
    assert refused("0.1.0~rc1-1", "0.1.0-1").returncode == 0


def messages(path: Path) -> dict[str, str]:
    """Originals and translations of a catalogue."""
    entries = re.findall(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n?)+)', path.read_text(encoding="utf-8"), re.MULTILINE)
    return {"".join(re.findall(r'"(.*)"', a)): "".join(re.findall(r'"(.*)"', b)) for a, b in entries}


def test_every_word_of_the_installer_is_translated() -> None:
    catalogue = messages(FOLDER / "po" / "zh_CN.po")
    assert all(catalogue.values())
    wanted = set()
    for block in re.split(r"\n\n", TEMPLATES.read_text(encoding="utf-8")):
        found = re.search(r"^_Description: (.*)\n((?: .*\n?)*)", block, re.MULTILINE)
        if found:
            paragraphs = re.split(r"^ \.$", found[2], flags=re.MULTILINE)
            wanted |= {found[1], *(" ".join(part.split()) for part in paragraphs)}
    plain = {text.replace('\\"', '"') for text in catalogue}
    assert wanted - {""} <= plain, wanted - plain
