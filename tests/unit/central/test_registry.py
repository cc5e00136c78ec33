"""The registry of sites: what counts is what the files say now."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from appliance.central.registry import Registry, Site, certificate_digest, read_site
from appliance.errors import ConfigurationError
from tests.builders.certificates import Authority
from tests.unit.test_signatures import RARE
from tests.waiting import wait_until

PEM = serialization.Encoding.PEM


def public_key() -> str:
    """A public key in PEM."""
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry of no sites."""
    return Registry(tmp_path / "sites")


def test_a_site_is_what_was_written(registry: Registry) -> None:
    site = Site("clinic-7", "north", signature_keys=(public_key(),), token_sha256=("ab" * 32,))
    registry.write(site)
    assert registry.site("clinic-7") == registry.get("clinic-7") == site
    assert registry.names() == ["clinic-7"]
    assert len(site.verifiers()) == 1


def test_a_change_counts_at_once(registry: Registry) -> None:
    registry.write(Site("clinic-7", "north"))
    assert registry.site("clinic-7") is not None
    registry.write(Site("clinic-7", "north", enabled=False))
    assert registry.site("clinic-7") is None
    assert registry.find("clinic-7") is not None
    registry.remove("clinic-7")
    assert registry.find("clinic-7") is None and registry.names() == []


def test_a_file_that_cannot_be_read_stands_for_nobody(registry: Registry, tmp_path: Path) -> None:
    registry.write(Site("clinic-7", "north"))
    assert registry.site("clinic-7") is not None
    path = tmp_path / "sites" / "clinic-7.json"
    for text in ("{", "[]", json.dumps({"site": "clinic-8", "tenant": "north"}), json.dumps({"site": "clinic-7"})):
        path.write_text(text)
        os.utime(path, ns=(1, len(text)))
        assert registry.site("clinic-7") is None
    with pytest.raises(ConfigurationError, match="cannot be used"):
        registry.get("clinic-7")
    registry.remove("clinic-7")


@pytest.mark.parametrize("document", [
    {"tenant": "../north"}, {"tenant": ".north"}, {"tenant": ""}, {"role": "king"}, {"surprise": 1},
    {"token_sha256": "text"}, {"signature_keys": ["no key"]},
])  # fmt: skip
def test_what_no_site_may_be_is_refused(registry: Registry, tmp_path: Path, document: dict[str, object]) -> None:
    (tmp_path / "sites").mkdir()
    content = {"site": "clinic-7", "tenant": "north", **document}
    (tmp_path / "sites" / "clinic-7.json").write_text(json.dumps(content))
    assert registry.find("clinic-7") is None


@pytest.mark.parametrize("name", ["", "../x", "Clinic", "a/b", "-a", "a-", "x" * 64, "clinic-7.json", "a\0b"])
def test_a_name_is_never_a_path(registry: Registry, tmp_path: Path, name: str) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"site": name, "tenant": "north"}))
    assert registry.find(name) is None
    with pytest.raises(ConfigurationError):
        registry.write(Site(name, "north"))
    with pytest.raises(ConfigurationError):
        registry.remove(name)


def test_a_token_finds_its_own_site_while_that_is_enabled(registry: Registry) -> None:
    digest = hashlib.sha256(b"secret").hexdigest()
    registry.write(Site("clinic-7", "north", token_sha256=("00" * 32,)))
    registry.write(Site("clinic-8", "south", token_sha256=("11" * 32, digest.upper())))
    found = registry.by_token("secret")
    assert found is not None and found.name == "clinic-8"
    assert registry.by_token("other") is None and registry.by_token("") is None
    registry.write(Site("clinic-8", "south", enabled=False, token_sha256=(digest,)))
    assert registry.by_token("secret") is None


def test_whom_a_site_speaks_for() -> None:
    assert Site("a", "north").speaks_for("north") and not Site("a", "north").speaks_for("south")
    assert Site("a", "north", role="receiver").speaks_for("south")
    assert not Site("a", "north", enabled=False).speaks_for("north")


def test_the_digest_of_a_certificate(tmp_path: Path) -> None:
    text = Authority(tmp_path).issue("clinic-7").certificate.read_text()
    assert len(certificate_digest(text)) == 64
    with pytest.raises(ConfigurationError):
        certificate_digest("nothing")


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "sites").write_text("a file")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Registry(tmp_path / "sites").write(Site("clinic-7", "north"))


def test_nobody_with_a_good_token_is_refused_while_tokens_are_looked_up(registry: Registry) -> None:
    for number in range(40):
        registry.write(Site(f"clinic-{number}", "north", token_sha256=(hashlib.sha256(b"t%d" % number).hexdigest(),)))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(registry.by_token, [f"t{number}" for number in range(40)] * 5))
    assert [site.name if site else "" for site in found] == [f"clinic-{number}" for number in range(40)] * 5


def test_a_fault_that_passes_refuses_a_site_for_as_long_as_it_lasts(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.write(Site("clinic-7", "north"))
    complaints: list[str] = []
    monkeypatch.setattr("appliance.central.registry.log.warning", lambda event, **facts: complaints.append(event))
    with monkeypatch.context() as patch:
        patch.setattr("appliance.central.registry.os.open", _no_descriptor)
        assert [registry.site("clinic-7") for _ in range(3)] == [None] * 3
    assert registry.site("clinic-7") is not None
    assert len(complaints) == 1


def _no_descriptor(*_: object) -> int:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_a_change_that_leaves_size_and_time_as_they_were_counts_at_once(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "sites" / "clinic-7.json"
    registry.write(Site("clinic-7", "north"))
    facts = path.stat()
    for tenant in ("south", "north", "south"):
        path.write_text(path.read_text().replace("north", "#").replace("south", "#").replace("#", tenant))
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        found = registry.site("clinic-7")
        assert found is not None and found.tenant == tenant


def test_a_fresh_file_is_read_again_until_its_times_can_tell_of_a_change(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def read(text: str, name: str) -> Site:
        reads.append(name)
        return read_site(text, name)

    registry.write(Site("clinic-7", "north"))
    monkeypatch.setattr("appliance.central.registry.read_site", read)
    for settled, count in ((3600 * 10**9, 3), (-1, 4)):
        monkeypatch.setattr("appliance.central.registry.SETTLED_NS", settled)
        assert all(registry.site("clinic-7") for _ in range(3))
        assert len(reads) == count


def test_a_time_of_modification_that_was_set_back_hides_no_change(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.central.registry.SETTLED_NS", -1)
    registry.write(Site("clinic-7", "north"))
    assert registry.site("clinic-7") == Site("clinic-7", "north")
    path = tmp_path / "sites" / "clinic-7.json"
    facts = path.stat()

    def changed() -> bool:  # the kernel's clock has ticks of some milliseconds
        path.write_text(json.dumps(Site("clinic-7", "south").document(), indent=2) + "\n")
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        return path.stat().st_ctime_ns != facts.st_ctime_ns

    wait_until(changed)
    assert registry.site("clinic-7") == Site("clinic-7", "south")


def test_a_token_that_is_taken_out_of_a_file_counts_no_more_at_once(registry: Registry, tmp_path: Path) -> None:
    old, new = (hashlib.sha256(token).hexdigest() for token in (b"old", b"new"))
    registry.write(Site("clinic-7", "north", token_sha256=(old,)))
    assert registry.by_token("old") is not None
    path = tmp_path / "sites" / "clinic-7.json"
    path.write_text(path.read_text().replace(old, new))  # in place: the directory tells of nothing
    assert registry.by_token("old") is None


@pytest.mark.parametrize("content", [
    "[" * 100_000, json.dumps({"site": "clinic-7", "tenant": "north"}) + " " * (1 << 20),
    json.dumps({"site": "clinic-7", "tenant": "north", "signature_keys": [RARE.decode()]}), None,
])  # fmt: skip
def test_no_file_of_one_site_stands_in_the_way_of_another(
    registry: Registry, tmp_path: Path, content: str | None
) -> None:
    registry.write(Site("clinic-8", "south", token_sha256=(hashlib.sha256(b"secret").hexdigest(),)))
    path = tmp_path / "sites" / "clinic-7.json"
    os.mkfifo(path) if content is None else path.write_text(content)
    assert registry.site("clinic-7") is None
    found = registry.by_token("secret")
    assert found is not None and found.name == "clinic-8"


def test_a_site_is_written_durably_and_for_every_reader(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def fsync(file: int) -> None:
        synced.append(os.fstat(file).st_ino)
        real(file)

    monkeypatch.setattr("os.fsync", fsync)
    before = os.umask(0o077)
    try:
        registry.write(Site("clinic-7", "north"))
    finally:
        os.umask(before)
    path = tmp_path / "sites" / "clinic-7.json"
    assert path.stat().st_mode & 0o777 == 0o644
    assert synced == [path.stat().st_ino, path.parent.stat().st_ino]
    registry.remove("clinic-7")
    assert synced[2:] == [path.parent.stat().st_ino]
