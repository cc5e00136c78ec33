"""A crash or a full disk at any step leaves the old or the new, never something between, and a repeat mends it."""

from __future__ import annotations

import datetime as dt
import errno
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pki import check, issuing, keys, lineage, profiles, renewal, revocation
from pki.authority import Authority
from pki.check import Grade
from pki.errors import Exists, Refused
from pki.layout import Layout
from pki.ledger import Ledger
from pki.lineage import Record
from tests.unit.pki.conftest import NOW

STEPS = ("open", "fsync", "rename", "symlink", "mkdir", "chmod", "fchmod", "unlink")
BOX = profiles.box("clinic-7", "ab" * 32)
NAME = BOX.lineage
DIED = 9

Deed = Callable[[Layout, Authority], object]


def _issue(layout: Layout, authority: Authority) -> None:
    with layout.changing():
        issuing.issue(layout, authority, Record(BOX), now=NOW)


def _renew(layout: Layout, authority: Authority) -> None:
    with layout.changing():
        done = renewal.renew(layout, authority, [lineage.current(layout, NAME)], (), now=NOW, force=True)
        for outcome in done:
            if outcome.error is not None:
                raise outcome.error


def _revoke(layout: Layout, authority: Authority) -> None:
    with layout.changing():
        entries = revocation.chosen(layout, NAME, now=NOW)
        revocation.revoke(layout, authority, entries, "key_compromise", now=NOW)


def _publish(layout: Layout, authority: Authority) -> None:
    with layout.changing():
        revocation.publish(layout, authority, now=NOW)


def _sign(layout: Layout, authority: Authority) -> None:
    with layout.changing():
        issuing.signing_key(layout, "clinic-7")


DEEDS: dict[str, Deed] = {"renew": _renew, "revoke": _revoke, "publish": _publish, "sign": _sign}


class Step:
    """Counts the durable steps and strikes at one of them."""

    def __init__(self, at: int, strike: Callable[[], None]) -> None:
        self.at, self.strike, self.passed = at, strike, 0

    def around(self, real: Callable[..., object]) -> Callable[..., object]:
        """`real`, counted."""

        def counted(*args: object, **extra: object) -> object:
            self.passed += 1
            if self.passed == self.at:
                self.strike()
            return real(*args, **extra)

        return counted

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Stand before every call that changes the disk."""
        for name in STEPS:
            patch.setattr(os, name, self.around(getattr(os, name)))


def died(deed: Deed, layout: Layout, authority: Authority, at: int) -> bool:
    """Do it in a child that dies at once at step `at`, without any cleaning up; False when it got through."""
    child = os.fork()
    if child == 0:
        with pytest.MonkeyPatch.context() as patch:
            Step(at, lambda: os._exit(DIED)).install(patch)
            deed(layout, authority)
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == DIED


def failed(deed: Deed, layout: Layout, authority: Authority, at: int) -> bool:
    """Do it with a disk that is full at step `at`; False when it got through."""

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        Step(at, full).install(patch)
        try:
            deed(layout, authority)
        except OSError as error:
            assert error.errno == errno.ENOSPC
            return True
    return False


@pytest.fixture
def stocked(layout: Layout, authority: Authority) -> Layout:
    """A directory with a box."""
    _issue(layout, authority)
    return layout


def whole(layout: Layout) -> None:
    """What is live is a certificate with its own key, in the register, with nothing secret lying open."""
    one = lineage.current(layout, NAME)
    key = lineage.private_key(one)
    assert keys.public_der(key.public_key()) == keys.public_der(one.certificate.public_key())
    assert one.certificates("fullchain.pem") == [one.certificate, layout.certificate()]
    assert one.certificate.serial_number in {entry.serial for entry in Ledger(layout.ledger).certificates()}
    for path in layout.root.rglob("key.pem"):
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("struck", [died, failed])
@pytest.mark.parametrize("name", DEEDS)
def test_a_blow_at_any_step_leaves_old_or_new_and_a_repeat_mends_it(
    tmp_path: Path, stocked: Layout, authority: Authority, name: str, struck: Callable[..., bool]
) -> None:
    before = lineage.current(stocked, NAME).certificate.serial_number
    for at in range(1, 100):
        layout = Layout(tmp_path / f"{at}")
        shutil.copytree(stocked.root, layout.root, symlinks=True)
        if not struck(DEEDS[name], layout, authority, at):
            break
        whole(layout)
        findings = [one for report in check.everything(layout, NOW) for one in report.findings]
        assert all("but not on the list" in one.text or "it is revoked" in one.text for one in findings)
        if name == "revoke" and struck is died:
            assert lineage.current(layout, NAME).certificate.serial_number == before
        _repeat(DEEDS[name], layout, authority)
        whole(layout)
        assert check.everything(layout, NOW)[1].grade is Grade.OK
        assert not list(layout.root.rglob(".*.new"))
    assert at > 5


def _repeat(deed: Deed, layout: Layout, authority: Authority) -> None:
    try:
        deed(layout, authority)
    except Refused as nothing_left:
        assert "revoked already" in nothing_left.message


@pytest.mark.parametrize("struck", [died, failed])
def test_an_authority_is_founded_whole_or_not_at_all(
    tmp_path: Path, authority: Authority, struck: Callable[..., bool]
) -> None:
    def found(layout: Layout, authority: Authority) -> None:
        with layout.changing():
            layout.found(authority)

    for at in range(1, 100):
        layout = Layout(tmp_path / f"{at}")
        layout.root.mkdir()
        if not struck(found, layout, authority, at):
            break
        if layout.authority_directory.exists():
            with pytest.raises(Exists):
                found(layout, authority)
        else:
            found(layout, authority)
        assert layout.authority().certificate == authority.certificate
        assert layout.ca_key.stat().st_mode & 0o777 == 0o600
    assert at > 10


def test_a_reader_never_sees_a_certificate_with_another_ones_key(stocked: Layout, authority: Authority) -> None:
    stop, halves, looks = threading.Event(), [], [0]

    def look() -> None:
        while not stop.is_set():
            one = lineage.current(stocked, NAME)
            key = keys.public_der(lineage.private_key(one).public_key())
            halves.extend([one.directory] if key != keys.public_der(one.certificate.public_key()) else [])
            looks[0] += 1

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for _ in range(25):
            _renew(stocked, authority)
    finally:
        stop.set()
        reader.join(10)
    assert looks[0] > 10 and not halves
    assert lineage.current(stocked, NAME).directory.name == "26"


def test_everything_is_on_disk_before_the_link_turns(
    stocked: Layout, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_sync, real_rename = os.fsync, os.rename

    def sync(descriptor: int) -> None:
        real_sync(descriptor)
        steps.append("sync " + os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), stocked.root))

    def rename(source: Path, target: Path) -> None:
        real_rename(source, target)
        steps.append("rename " + os.path.relpath(target, stocked.root))

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "rename", rename)
    _renew(stocked, authority)
    fresh = f"archive/{NAME}/.2.new"
    written = [f"sync {fresh}/{name}" for name in ("cert.pem", "chain.pem", "fullchain.pem", "key.pem", "lineage.json")]
    switch = [f"rename archive/{NAME}/2", f"sync archive/{NAME}", f"rename live/{NAME}", "sync live"]
    assert steps[0] == "sync ledger.jsonl"
    assert steps[-len(written) - 5 :] == [*written, f"sync {fresh}", *switch]


def test_a_torn_line_of_the_register_is_passed_over_and_the_next_is_whole(
    stocked: Layout, authority: Authority
) -> None:
    with stocked.ledger.open("a") as file:
        file.write('{"event": "issued", "serial": "12')
    assert len(Ledger(stocked.ledger).certificates()) == 1
    _renew(stocked, authority)
    assert len(Ledger(stocked.ledger).certificates()) == 2
    assert check.everything(stocked, NOW + dt.timedelta(days=1))[1].grade is Grade.OK
