"""Answers given well, badly and again: what a technician does to one box between installation and upgrade, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.partners import dcmtk
from tests.partners.installed_box import PACKAGE, PEERS, InstalledBox
from tests.partners.machine import ADDRESS
from tests.partners.next_build import VERSION, next_build, renumbered
from tests.waiting import wait_until

PKI = "/etc/dicom-edge-appliance/pki"
ANSWERS = "/etc/dicom-edge-appliance/conf.d/50-installation.toml"
FRONT = "/etc/nginx/dicom-edge-appliance.d/50-installation.conf"
AWKWARD = "ED\"G'E $(x) `%s"
# No backslash before an n: debconf itself takes that for the end of a line.
SENTENCE = "密码是一个好长的句子 \"\\%s' $HOME"
RECEIVER = "dicom-edge-central-receiver.service"
TAKER = "import socket, time; kept = [socket.create_server(('0.0.0.0', port)) for port in (8443, 105)]; time.sleep(600)"


@pytest.fixture(scope="module")
def box(new_box: Callable[[], InstalledBox]) -> Iterator[InstalledBox]:
    """A machine on which the installation fails half-way: where the authority belongs there is a file."""
    made = new_box()
    made.answer()
    made.machine.shell(f"mkdir -p {PKI.rpartition('/')[0]}; touch {PKI}")
    yield made


@pytest.fixture(scope="module")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next build."""
    return next_build(package, tmp_path_factory.mktemp("next"))


def reconfigure(box: InstalledBox, answers: Mapping[str, str]) -> str:
    """Answer anew, as dpkg-reconfigure asks; return what it said."""
    kinds = {"admin-password": "password"}
    lines = [f"{PACKAGE} {PACKAGE}/{name} {kinds.get(name, 'string')} {value}\n" for name, value in answers.items()]
    box.machine.run("debconf-set-selections", text="".join(lines))
    done = box.machine.run("dpkg-reconfigure", "--frontend=noninteractive", PACKAGE)
    return done.stdout + done.stderr


def test_a_set_up_that_fails_says_what_to_mend(box: InstalledBox, package: Path) -> None:
    said = box.apt("install", box.put(package), check=False)
    assert "the set-up did not succeed" in said and "dpkg --configure -a" in said
    assert "Traceback" not in said


def test_repeated_it_goes_on_with_the_same_answers(box: InstalledBox) -> None:
    box.machine.shell(f"rm {PKI}; dpkg --configure -a")
    box.wait_active()
    assert f"listen {ADDRESS}:443 ssl" in box.machine.shell(f"cat {FRONT}")
    shown = box.appliance("init", "--system", "--show-answers")
    assert "site=clinic-7\n" in shown and "dicom_address=0.0.0.0\n" in shown


def test_other_answers_however_odd_are_taken_and_the_old_doors_close(box: InstalledBox) -> None:
    box.configure("60-modalities", PEERS)
    said = reconfigure(
        box, {"ae-title": AWKWARD[:16], "dicom-ports": "11113", "dicom-tls-port": "", "dicom-address": "::",
              "https-address": "[::]:8443", "admin-password": SENTENCE},
    )  # fmt: skip
    box.wait_active()
    with box.machine.clinic():
        dcmtk.echoscu(box.peer(11113))
        for closed in (104, 11112, 2762):
            assert dcmtk.echoscu(box.peer(closed), check=False).returncode != 0
        with box.https() as session:
            assert session.get(f"https://{ADDRESS}:8443/healthz", timeout=10).status_code == 200
            form = {"name": "admin", "password": SENTENCE}
            answer = session.post(f"https://{ADDRESS}:8443/login", data=form, allow_redirects=False, timeout=10)
            assert answer.status_code == 303, "the password is not the one that was answered"
    assert f"ae_title={AWKWARD[:16]}\n" in box.appliance("init", "--system", "--show-answers")
    kept = box.machine.run("grep", "-rlF", SENTENCE, "/etc", "/var", "/run", check=False).stdout
    assert kept == "" and SENTENCE not in said + box.journal()


def test_what_another_program_has_taken_is_told(box: InstalledBox) -> None:
    box.machine.shell(f'systemctl stop nginx; systemd-run --quiet --unit=taker python3 -c "{TAKER}"')
    wait_until(lambda: ":8443" in box.machine.shell("ss -Hltn"), 10)
    said = reconfigure(box, {"dicom-ports": "11113 105"})
    box.machine.shell("systemctl stop taker; systemctl start nginx")
    assert "[::]:8443" in said and "ss -ltnp" in said
    assert "do not run: dicom-edge-scp" in said and "appliance doctor" in said
    assert "do not run" not in reconfigure(box, {"dicom-ports": "11113"})
    box.wait_active()


def test_another_tenant_is_refused_and_the_box_goes_on(box: InstalledBox) -> None:
    with pytest.raises(AssertionError, match="belong to tenant 'north'"):
        reconfigure(box, {"tenant": "south"})
    box.wait_active()
    assert 'tenant = "north"' in box.machine.shell(f"cat {ANSWERS}")
    reconfigure(box, {"tenant": "north"})
    box.wait_active()


def test_what_an_administrator_has_changed_survives_an_upgrade(box: InstalledBox, newer: Path) -> None:
    live = f"{PKI}/live/server-pacs.clinic.example"
    box.machine.shell(
        f"""sed -i 's/^ae_title = .*/ae_title = "THEIRS"/' {ANSWERS}
        printf '\\n[log]\\nlevel = "WARNING"\\n' >>{ANSWERS}
        mkdir /etc/ssl/own; cp -L {live}/fullchain.pem {live}/key.pem /etc/ssl/own
        sed -i 's|{live}|/etc/ssl/own|; s/^server_name /&their.clinic.example /' {FRONT}"""
    )
    before = box.machine.shell("cat /etc/ssl/own/*")
    box.install(newer)
    text, front = box.machine.shell(f"cat {ANSWERS}"), box.machine.shell(f"cat {FRONT}")
    assert 'ae_title = "THEIRS"' in text and 'level = "WARNING"' in text and "port = 11113" in text
    assert "ssl_certificate /etc/ssl/own/fullchain.pem;" in front and "their.clinic.example" in front
    assert box.machine.shell("cat /etc/ssl/own/*") == before
    with box.machine.clinic():
        dcmtk.echoscu(box.peer(11113))


def test_the_centre_beside_it_takes_up_a_new_build(
    box: InstalledBox, newer: Path, central_package: Path, tmp_path: Path
) -> None:
    centre = renumbered(central_package, VERSION, tmp_path / "one")
    box.apt("install", box.put(centre))
    assert not box.machine.active(RECEIVER)
    # Kafka, databases and keys are not here: programs stand in that need none. It is the packages' scripts that matter.
    for unit, program in (("receiver", "sleep infinity"), ("migrate", "true")):
        folder = box.machine.root / f"etc/systemd/system/dicom-edge-central-{unit}.service.d"
        folder.mkdir(exist_ok=True)
        (folder / "stand-in.conf").write_text(
            f"[Service]\nType={'oneshot' if unit == 'migrate' else 'exec'}\nWatchdogSec=0\n"
            f"ExecStart=\nExecStart=/usr/bin/{program}\n"
        )
    box.machine.shell("systemctl mask dicom-edge-central-loader dicom-edge-central-sync; systemctl daemon-reload")
    box.machine.run("systemctl", "enable", "--now", "central.target")
    wait_until(lambda: box.machine.active(RECEIVER), 30, every=0.1)
    before = box.machine.pid(RECEIVER)
    box.apt("install", "--reinstall", box.put(newer))
    wait_until(lambda: box.machine.active(RECEIVER) and box.machine.pid(RECEIVER) not in (0, before), 30, every=0.1)
    later = "99.0.1"
    before = box.machine.pid(RECEIVER)
    box.apt("install", box.put(renumbered(newer, later, tmp_path / "two")),
            box.put(renumbered(centre, later, tmp_path / "three")))  # fmt: skip
    wait_until(lambda: box.machine.active(RECEIVER) and box.machine.pid(RECEIVER) not in (0, before), 30, every=0.1)
    box.wait_active()
