"""Owners and modes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from appliance import places
from appliance.care.doctor import front, ownership
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import State
from tests.unit.care.doctor.boxes import box, mended, packaged, put


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir(mode=0o750)
    return path


def with_secret(tmp_path: Path, text: str = "secret", mode: int = 0o600) -> Box:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(mode)
    sink = {"kind": "stow", "url": "http://127.0.0.1:1/dicom-web", "token_file": path}
    return box(tmp_path, {"sync": {"sinks": {"centre": sink}}})


def test_a_home_of_its_owner(tmp_path: Path, home: Path) -> None:
    mended(ownership.home(box(tmp_path), ""), State.OK, "not for others", "")


def test_a_home_or_a_database_open_to_everybody(tmp_path: Path, home: Path) -> None:
    home.chmod(0o755)
    mended(ownership.home(box(tmp_path), ""), State.FAULT, "mode 0755", f"chmod o-rw {home}")
    home.chmod(0o751)
    (home / "index.db").touch(0o644)
    mended(ownership.home(box(tmp_path), ""), State.FAULT, "index.db", "chmod o-rw")


def test_a_home_that_is_not_there(tmp_path: Path) -> None:
    mended(ownership.home(box(tmp_path), ""), State.FAULT, "not there", "mount its disk")


def test_another_user_is_told_whose_it_is(tmp_path: Path, home: Path) -> None:
    mended(ownership.home(box(tmp_path, user=os.getuid() + 1), ""), State.FAULT, "belongs to", "sudo -u")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away")
def test_what_root_has_left_in_the_home(tmp_path: Path, home: Path) -> None:
    (home / "deletions.lock").touch()
    mended(ownership.strangers(box(tmp_path), ""), State.OK, "one owner", "")
    os.chown(home / "deletions.lock", 12345, 12345)
    mended(ownership.strangers(box(tmp_path), ""), State.FAULT, "deletions.lock", "chown")


def test_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    key = "sync.sinks.centre.token_file"
    assert ownership.secrets(with_secret(tmp_path)) == (key,)
    mended(ownership.secret(with_secret(tmp_path), key), State.OK, "mode 0600", "")
    mended(ownership.secret(with_secret(tmp_path, mode=0o640), key), State.OK, "mode 0640", "")
    mended(ownership.secret(with_secret(tmp_path, mode=0o644), key), State.FAULT, "mode 0644", "chmod 0600")
    mended(ownership.secret(with_secret(tmp_path, mode=0o620), key), State.FAULT, "mode 0620", "chmod 0600")
    mended(ownership.secret(with_secret(tmp_path, ""), key), State.FAULT, "empty", key)
    (tmp_path / "token").unlink()
    found = box(tmp_path, {"sync": {"sinks": {"centre": {
        "kind": "stow", "url": "http://127.0.0.1:1/d", "token_file": tmp_path / "token"}}}})  # fmt: skip
    mended(ownership.secret(found, key), State.FAULT, "not there", key)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away")
def test_a_secret_that_the_rooms_cannot_read() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own are for root alone
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "home").mkdir()
        os.chown(folder / "home", 12345, 12345)
        found, key = with_secret(folder), "sync.sinks.centre.token_file"
        mended(ownership.secret(found, key), State.FAULT, "cannot be read by 12345", f"chown 12345: {folder}/token")
        os.chown(folder / "token", 12345, 12345)
        assert ownership.secret(found, key).state is State.OK


def test_the_keys_of_the_proxy_and_of_the_authority_are_looked_at(tmp_path: Path) -> None:
    found = packaged(tmp_path)
    authority = put(found, places.PKI / "ca" / "key.pem", "key")
    proxy = put(found, "/etc/ssl/web.key", "key")
    put(found, front.PARTS / "50-installation.conf", "ssl_certificate_key /etc/ssl/web.key;\n")
    assert set(ownership.secrets(found)) == {"authority's key", "nginx /etc/ssl/web.key"}
    for path, key in ((authority, "authority's key"), (proxy, "nginx /etc/ssl/web.key")):
        path.chmod(0o604)
        mended(ownership.secret(found, key), State.FAULT, "mode 0604", f"chmod 0600 {path}")
        path.chmod(0o600)
        mended(ownership.secret(found, key), State.OK, "mode 0600", "")


def test_a_directory_of_the_package_that_is_not_there(tmp_path: Path) -> None:
    wanted = ownership.Wanted(places.CREDENTIALS, "root", "root", 0o700)
    (verdict,) = ownership._as_wanted(packaged(tmp_path), wanted)
    mended(verdict, State.FAULT, "is not there", f"install -d -o root -g root -m 0700 {places.CREDENTIALS}")


def test_the_content_of_a_secret_is_never_told(tmp_path: Path) -> None:
    verdict = ownership.secret(with_secret(tmp_path, "hunter2"), "sync.sinks.centre.token_file")
    assert "hunter2" not in verdict.what + verdict.mend
