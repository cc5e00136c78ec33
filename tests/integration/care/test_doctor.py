"""The doctor at a real box: all well, and each planted fault with a line of its own."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.access.book import Book
from appliance.access.roles import Role
from tests.builders.certificates import Authority
from tests.integration.care.verbs import run
from tests.partners.appliance import Appliance
from tests.partners.dicom_store import DicomStore
from tests.partners.ports import free_ports
from tests.waiting import wait_until

QUIET = {"APPLIANCE__WEB__LOGIN": "required", "APPLIANCE__CODEC__WORKERS": "1"}
# What this machine may be like is not the tests' matter.
OF_THE_MACHINE = {"encryption", "swap", "memory", "clock", "zone", "backup", "space", "fsync", "file-system"}
TOKEN = "a-bearer-token-of-the-centre"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[DicomStore]:
    """A store with TLS that asks for a token."""
    pair = authority.issue("store", ends=dt.timedelta(days=90))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with DicomStore(tmp_path_factory.mktemp("store"), context=context) as found:
        found.required = {"Authorization": f"Bearer {TOKEN}"}
        yield found


def lines(box: Appliance, *only: str, code: int = 1) -> dict[str, dict[str, Any]]:
    """Run the doctor; return its findings by name."""
    chosen = [word for name in only for word in ("--only", name)]
    done = run(box, "doctor", "--json", *chosen)
    assert done.exit_code == code, done.output
    return {line["name"]: line for line in json.loads(done.stdout)}


def centre(folder: Path, url: str, authority: Authority, token: str = TOKEN) -> dict[str, str]:
    """The configuration of a sink with a token."""
    path = folder / "token"
    path.write_text(token)
    path.chmod(0o600)
    sink = {"kind": "stow", "url": url, "tls_ca": str(authority.certificate), "token_file": str(path)}
    return {**QUIET, "APPLIANCE__SYNC__SINKS": json.dumps({"centre": sink})}


def ill(found: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, line in found.items() if line["state"] in ("warning", "fault")}


def test_a_healthy_box_and_one_whose_rooms_have_stopped(
    tmp_path: Path, authority: Authority, store: DicomStore
) -> None:
    pair, tls_port = authority.issue("box", ends=dt.timedelta(days=90)), free_ports(1)[0]
    pair.key.chmod(0o600)
    environ = {
        **centre(tmp_path, store.url, authority),
        "APPLIANCE__SCP__TLS_PORT": str(tls_port),
        "APPLIANCE__SCP__TLS_CERTIFICATE": str(pair.certificate),
        "APPLIANCE__SCP__TLS_KEY": str(pair.key),
    }
    with Appliance(tmp_path / "home", environ) as box:
        box.start()
        box.wait_ready()
        with Book(box.home) as book:
            book.accounts.add("eva", Role.ADMIN, "a good long sentence")
        found = lines(box)
        # The authority of these tests lasts an hour.
        assert {name.partition(" ")[0] for name in ill(found)} <= OF_THE_MACHINE | {"certificate"}
        assert found[f"echo plain:{box.scp_port}"]["what"] == "answered C-ECHO from SELFTEST"
        assert found[f"echo tls:{tls_port}"]["state"] == "ok"
        assert found["sink centre"]["state"] == found[f"line centre 127.0.0.1:{store.port}"]["state"] == "ok"
        assert found["sink-clock centre"]["state"] == found["room web"]["state"] == "ok"
        assert "version" in found["room scp"]["what"]
        assert TOKEN not in json.dumps(found)
        assert not [line for line in found.values() if line["state"] in ("warning", "fault") and not line["mend"]]
        box.stop()
        stopped = lines(box, "room", "port", "echo")
        assert {line["state"] for line in stopped.values()} == {"fault", "warning"}
        assert "systemctl start dicom-edge-scp" in stopped["room scp"]["mend"]


@pytest.fixture
def home(tmp_path: Path) -> Appliance:
    """An initialised home; no room runs."""
    box = Appliance(tmp_path / "home", QUIET)
    run(box, "init")
    return box


def test_a_wrong_mode(home: Appliance) -> None:
    (home.home / "index.db").chmod(0o644)
    line = lines(home, "home")["home"]
    assert "index.db is open to everybody" in line["what"]
    assert line["mend"].startswith("run: chmod o-rw")


def test_a_port_that_somebody_else_has(home: Appliance) -> None:
    with socket.create_server(("127.0.0.1", home.scp_port)):
        line = lines(home, "port")[f"port scp:{home.scp_port}"]
    assert line["state"] == "fault"
    assert "is taken by" in line["what"]


def test_a_missing_schema_and_a_mistake_in_the_configuration(home: Appliance) -> None:
    (home.home / "index.db").write_bytes(b"")
    line = lines(home, "schema")["schema"]
    assert (line["state"], "appliance db migrate" in line["mend"]) == ("fault", True)
    mistaken = Appliance(home.home, {**QUIET, "APPLIANCE__SCP__PORT": "eleven"})
    found = lines(mistaken)
    assert "scp.port" in found["configuration"]["what"]
    assert "memory" in found
    assert "schema" not in found


def test_an_expired_certificate(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("over", ends=-dt.timedelta(hours=2))
    environ = {
        "APPLIANCE__SCP__TLS_PORT": str(free_ports(1)[0]),
        "APPLIANCE__SCP__TLS_CERTIFICATE": str(pair.certificate),
    }
    box = Appliance(tmp_path / "home", {**QUIET, **environ, "APPLIANCE__SCP__TLS_KEY": str(pair.key)})
    line = lines(box, "certificate")["certificate scp.tls_certificate"]
    assert (line["state"], line["what"].startswith("ended"), "renew" in line["mend"]) == ("fault", True, True)


def test_wrong_authority_wrong_token_and_a_store_that_is_away(
    tmp_path: Path, authority: Authority, store: DicomStore
) -> None:
    (tmp_path / "other").mkdir()
    other, gone = Authority(tmp_path / "other"), f"https://127.0.0.1:{free_ports(1)[0]}/dicom-web"
    planted = [
        (centre(tmp_path, store.url, other), "line", "not trusted", "tls_ca"),
        (centre(tmp_path, store.url, other), "sink centre", "is not trusted", "tls_ca"),
        (centre(tmp_path, store.url, authority, "wrong"), "sink centre", "(401)", "renew token_file"),
        (centre(tmp_path, gone, authority), "line", "refused", "firewall"),
        (centre(tmp_path, gone, authority), "sink centre", "refuses connections", "the service runs"),
    ]
    for environ, only, what, mend in planted:
        token = json.loads(environ["APPLIANCE__SYNC__SINKS"])["centre"]["token_file"]
        Path(token).write_text("wrong" if "401" in what else TOKEN)
        box, seen = Appliance(tmp_path / "home", environ), list[dict[str, Any]]()

        def told(box: Appliance = box, only: str = only, what: str = what, seen: list[Any] = seen) -> bool:
            seen.append(next(iter(lines(box, only).values())))
            return what in seen[-1]["what"]

        # A store that answers before it has read a request may cut its own answer off.
        wait_until(told, 5)
        line = seen[-1]
        assert (line["state"], mend in line["mend"]) == ("fault", True), line
        assert TOKEN not in json.dumps(line)


def test_people_read_a_line_and_its_mend(home: Appliance) -> None:
    done = run(home, "doctor", "--only", "room", "--only", "schema")
    assert done.exit_code == 1
    assert "FAULT    room scp: does not run" in done.stdout
    assert "mend: start it" in done.stdout
    assert "3 faults, 0 warnings, 1 ok, 0 skipped." in done.stdout
    assert run(home, "doctor", "--only", "schema").exit_code == 0
    assert run(home, "doctor", "--only", "nothing").exit_code == 2
