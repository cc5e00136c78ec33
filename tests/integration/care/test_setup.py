"""A machine is set up below a root of its own: everything is made, nothing is made twice, what is others' stays."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import places
from appliance.access.book import Book
from appliance.archive.database import connect
from appliance.care.setup.answers import Answers, answered
from appliance.care.setup.machine import Machine
from appliance.care.setup.plan import applied, outlook, plan
from appliance.care.setup.proxy import LINK, SWITCHED_OFF
from appliance.care.setup.proxy_file import FILE
from appliance.care.setup.step import Action, Step
from appliance.config import load
from appliance.errors import ConfigurationError

HOST = "box7.clinic.example"
PASSWORD = "a good long sentence"
LIVE = places.PKI / "live"


class Bench:
    """A machine below a directory, whose user is who runs the test."""

    def __init__(self, root: Path, *, is_new: bool = True) -> None:
        own, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
        self.machine = Machine(root, own, group, group)
        if not is_new:
            return
        self.write(places.CONFIGURATION, "")
        self.write(Path("/etc/nginx/sites-available/dicom-edge-appliance.conf"), "server {}\n")

    def write(self, path: Path, text: str) -> Path:
        """Write a file of the machine."""
        place = self.machine.at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def text(self, path: Path) -> str:
        """A file of the machine."""
        return self.machine.at(path).read_text(encoding="utf-8")

    def steps(self, **answers: object) -> list[Step]:
        """The plan for some answers."""
        taken: Callable[[Answers], Answers] = lambda now: answered(json.dumps(answers), now)  # noqa: E731
        return plan(outlook(self.machine, HOST, ("192.168.7.5", "198.51.100.7"), taken))

    def set_up(self, **answers: object) -> list[str]:
        """Apply the plan; what is shown once."""
        done = applied(self.steps(**answers))
        assert done.failures == ()
        return list(done.once)

    def due(self, **answers: object) -> dict[str, Action]:
        """What a plan would change, by the last part of its name."""
        return {Path(step.name).name: step.action for step in self.steps(**answers) if step.is_due}

    def settings(self) -> dict[str, object]:
        """The file of the answers."""
        return tomllib.loads(self.text(places.ANSWERS))


@pytest.fixture
def bare(tmp_path: Path) -> Bench:
    """A machine with the package's files and nothing else."""
    return Bench(tmp_path / "root")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, str]:
    """A machine that was set up, and the code it showed. Nobody changes it: it is copied."""
    bench = Bench(tmp_path_factory.mktemp("made"))
    (code,) = bench.set_up(setup_code=True, dicom_address="0.0.0.0", tenant="north")
    return bench, code


@pytest.fixture
def box(made: tuple[Bench, str], tmp_path: Path) -> Bench:
    """A copy of it, to be changed."""
    shutil.copytree(made[0].machine.root, tmp_path / "root", symlinks=True)
    return Bench(tmp_path / "root", is_new=False)


def test_a_dry_run_says_everything_and_makes_nothing(bare: Bench) -> None:
    before = sorted(bare.machine.root.rglob("*"))
    due = bare.due()
    assert {"authority", "index.db", "50-installation.toml", f"server-{HOST}", f"server-{HOST}+dicom"} <= set(due)
    assert sorted(bare.machine.root.rglob("*")) == before


def test_everything_is_made_with_its_mode(box: Bench) -> None:
    modes = {
        places.HOME: 0o751,
        places.HOME / "archive": 0o2750,
        places.HOME / "archive" / "north": 0o2750,
        places.HOME / "spool": 0o2700,
        places.HOME / "access.db": 0o600,
        places.ANSWERS: 0o644,
        places.CREDENTIALS: 0o700,
        places.PKI / "ca" / "key.pem": 0o600,
        LIVE / f"server-{HOST}" / "key.pem": 0o600,
        LIVE / f"server-{HOST}+dicom" / "key.pem": 0o640,
    }
    found = {path: stat.S_IMODE(box.machine.at(path).stat().st_mode) for path in modes}
    assert found == modes


def test_the_configuration_is_what_was_answered(box: Bench) -> None:
    settings = load(box.machine.at(places.CONFIGURATION), {}).settings
    assert (settings.site.id, settings.site.tenant, settings.scp.host) == ("box7", "north", "0.0.0.0")
    assert (settings.scp.port, settings.scp.additional_ports, settings.scp.tls_port) == (11112, (104,), 2762)
    assert settings.scp.tls_key == LIVE / f"server-{HOST}+dicom" / "key.pem"
    assert settings.web.allowed_hosts[0] == HOST


def test_a_password_lets_the_administrator_in_and_is_nowhere(box: Bench) -> None:
    assert box.set_up(admin_password=PASSWORD) == []
    with Book(box.machine.at(places.HOME)) as book:
        assert book.reception.log_in("admin", PASSWORD, "127.0.0.1")
    files = [path for path in box.machine.root.rglob("*") if path.is_file()]
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


def test_a_second_run_finds_nothing_to_do(box: Bench) -> None:
    assert box.due() == {}


def test_the_certificates_name_the_machine_and_no_address_that_clients_would_not_believe(box: Bench) -> None:
    rows = {row["name"]: row["names"] for row in json.loads(box.machine.locksmith("list", "--json"))}
    for names in rows.values():
        assert {HOST, "box7.local", "localhost", "127.0.0.1", "192.168.7.5"} <= set(names)
        assert "198.51.100.7" not in names


def test_a_code_is_shown_once_and_only_while_nobody_can_log_in(box: Bench, made: tuple[Bench, str]) -> None:
    with Book(box.machine.at(places.HOME)) as book:
        assert book.reception.set_up(made[1], "ann", PASSWORD, "127.0.0.1")
    assert box.due(setup_code=True) == {}


def test_another_answer_changes_what_it_is_about_and_keeps_what_others_wrote(box: Bench) -> None:
    box.write(places.ANSWERS, box.text(places.ANSWERS) + "\n[archive]\nreserve_bytes = 7\n")
    assert box.due() == {}
    due = box.due(dicom_ports="104", https_name="pacs.local")
    assert due.pop("server-pacs.local") is Action.MAKE
    assert due.pop("server-pacs.local+dicom") is Action.MAKE
    assert set(due) == {"50-installation.toml", "50-installation.conf"}
    box.set_up(dicom_ports="104", https_name="pacs.local")
    found = box.settings()
    assert found["archive"] == {"reserve_bytes": 7}
    assert "server_name pacs.local" in box.text(FILE)


def test_what_an_administrator_has_set_is_in_force_and_stays(bare: Bench) -> None:
    theirs = '[scp]\nae_title = "THEIRS"\ntls_port = 2762\ntls_certificate = "/c.pem"\ntls_key = "/k.pem"\n'
    bare.write(places.CONFIGURATION, theirs)
    front = "listen 10.0.0.1:443 ssl;\nserver_name a.example;\nssl_certificate /s/c;\nssl_certificate_key /s/k;\n"
    bare.write(FILE, front)
    assert not [name for name in bare.due() if name.startswith("server-")]
    applied([step for step in bare.steps() if step.part in ("configuration", "nginx")])
    settings = load(bare.machine.at(places.CONFIGURATION), {}).settings
    assert (settings.scp.ae_title, settings.scp.tls_certificate) == ("THEIRS", Path("/c.pem"))
    assert "ae_title" not in bare.text(places.ANSWERS)
    told = bare.text(FILE)
    assert "ssl_certificate /s/c;" in told and "10.0.0.1:443" in told and "server_name a.example" in told


def test_a_name_that_is_missing_in_a_certificate_is_added_by_a_new_one(box: Bench) -> None:
    steps = [step for step in box.steps(https_address="10.1.2.3:443") if step.name == f"server-{HOST}"]
    assert [step.action for step in steps] == [Action.CHANGE]
    applied(steps)
    rows = {row["name"]: row["names"] for row in json.loads(box.machine.locksmith("list", "--json"))}
    assert "10.1.2.3" in rows[f"server-{HOST}"]


def test_what_the_appliance_would_refuse_is_not_put_in_place(bare: Bench) -> None:
    bare.write(places.ANSWERS.parent / "60-theirs.toml", '[scp]\nhost = "10.0.0.1"\nadditional_ports = [2762]\n')
    with pytest.raises(ConfigurationError, match="twice"):
        bare.set_up()
    assert not bare.machine.at(places.ANSWERS).exists()


def test_a_password_that_is_unfit_is_refused_before_anything_is_made(bare: Bench) -> None:
    with pytest.raises(ConfigurationError, match="10 to 256") as caught:
        bare.set_up(admin_password="short1")
    assert "short1" not in str(caught.value)
    assert not bare.machine.at(places.ANSWERS).exists()


def test_images_of_another_tenant_are_not_taken_over(box: Bench) -> None:
    before = box.text(places.ANSWERS)
    with pytest.raises(ConfigurationError, match="north"):
        box.set_up(tenant="south")
    assert box.text(places.ANSWERS) == before


def test_a_database_of_a_newer_version_is_left_alone(box: Bench) -> None:
    cx = connect(box.machine.at(places.HOME / "index.db"))
    known = cx.execute("SELECT compatible_from FROM box").fetchone()[0]
    cx.execute("UPDATE box SET compatible_from = 999")
    try:
        with pytest.raises(ConfigurationError, match="newer version"):
            box.set_up()
    finally:
        cx.execute("UPDATE box SET compatible_from = ?", (known,))
        cx.close()


def test_a_site_that_an_administrator_has_switched_off_stays_off(box: Bench) -> None:
    link = box.machine.at(LINK)
    assert link.is_symlink()
    link.unlink()
    assert link.name not in box.due()
    # The package's removal leaves a sign that it was not the administrator.
    box.write(SWITCHED_OFF, "")
    assert box.due()[link.name] is Action.MAKE
