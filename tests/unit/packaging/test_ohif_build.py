"""The build of OHIF believes hashes only, moves every address, and fails when there is nothing to move."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from ohif_build import choosing, fetching, lock, rebasing
from ohif_build.building import link
from ohif_build.failure import BuildFailed
from ohif_build.listing import LIST, compress, script_hashes, write_list

INDEX = (
    '<html><script>window.PUBLIC_URL="/"</script><meta content="/assets/tile.png"><link href="/app.css">'
    f'<script rel="preload" src="/app-config.js"></script>{rebasing.SERVICE_WORKER}<script src="/app.js"></script>'
)


def published(folder: Path) -> Path:
    """Write the outline of a published viewer."""
    folder.mkdir()
    (folder / "index.html").write_text(INDEX)
    (folder / "manifest.json").write_text('{"icons": [{"src": "/assets/icon.png"}]}')
    (folder / "app.css").write_text("@font-face { src: url(/font.woff2) }")
    start = "new Worker(new URL(/* worker import */__webpack_require__.p + __webpack_require__.u(97), 1))"
    (folder / "app.js").write_text(f"{start}; {rebasing.PUBLIC_PATH}; {rebasing.CODEC}")
    (folder / "97.bundle.1.js").write_text(f"{rebasing.PUBLIC_PATH}; {rebasing.CODEC}")
    return folder


def test_every_address_is_moved_below_the_folder_of_the_build(tmp_path: Path) -> None:
    folder = published(tmp_path / "dist")
    rebasing.rebase(folder, "b1")
    page = (folder / "index.html").read_text()
    assert 'window.PUBLIC_URL="/ohif/"' in page
    assert 'src="/ohif/b1/app.js"' in page
    assert 'src="/ohif/app-config.js"' in page
    assert "service-worker" not in page
    assert '__webpack_require__.p = "/ohif/b1/"' in (folder / "app.js").read_text()
    assert "url(/ohif/b1/font.woff2)" in (folder / "app.css").read_text()
    assert "/ohif/b1/assets/icon.png" in (folder / "manifest.json").read_text()


@pytest.mark.parametrize("name", ["index.html", "manifest.json", "app.css"])
def test_a_file_with_nothing_to_move_stops_the_build(tmp_path: Path, name: str) -> None:
    folder = published(tmp_path / "dist")
    (folder / name).write_text("built otherwise")
    with pytest.raises(BuildFailed, match="built otherwise"):
        rebasing.rebase(folder, "b1")


def test_bundles_with_nothing_to_move_stop_the_build(tmp_path: Path) -> None:
    folder = published(tmp_path / "dist")
    for path in folder.glob("*.js"):
        path.write_text("built otherwise")
    with pytest.raises(BuildFailed):
        rebasing.rebase(folder, "b1")


def test_the_decode_worker_is_the_script_that_is_started_and_holds_a_codec(tmp_path: Path) -> None:
    folder = published(tmp_path / "dist")
    assert rebasing.decode_worker(folder) == "97.bundle.1.js"
    (folder / "97.bundle.1.js").write_text("no codec")
    with pytest.raises(BuildFailed, match="found: none"):
        rebasing.decode_worker(folder)


def tarball(folder: Path, name: str, content: bytes) -> Path:
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


def test_only_the_hash_of_the_lock_is_believed(tmp_path: Path) -> None:
    path = tarball(tmp_path, "package/a", b"1")
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    fetching.verify(path, lock.Locked("a", "1", integrity))
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(BuildFailed, match="not what the lock names"):
        fetching.verify(path, lock.Locked("a", "1", integrity))


def test_a_package_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    path = tarball(tmp_path, "package/../../evil", b"1")
    with pytest.raises(BuildFailed, match="outside"):
        fetching.unpack(path, tmp_path / "inside", lambda name: name)
    assert not (tmp_path / "evil").exists()


def test_without_npm_the_reason_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildFailed, match="apt-get install nodejs npm"):
        fetching.fetch(lock.viewer(), tmp_path, 1)


def test_what_asks_other_hosts_is_not_kept() -> None:
    assert choosing.kept("dist/app.bundle.js") == "app.bundle.js"
    assert choosing.kept("LICENSE") == "LICENSE.txt"
    for name in ("dist/google.js", "dist/sw.js", "dist/ort/ort.js", "dist/app.js.map", "package.json"):
        assert choosing.kept(name) == ""


def test_the_list_holds_what_is_served_and_the_hashes_of_inline_scripts(tmp_path: Path) -> None:
    folder = published(tmp_path / "dist")
    (folder / "large.js").write_text("x" * 5000)
    compress(folder)
    write_list(folder, "1.2.3", "b1", "97.bundle.1.js")
    document = json.loads((folder / LIST).read_text())
    assert document["files"]["large.js"]["gzip"] is True
    assert document["files"]["app.css"]["gzip"] is False
    assert "large.js.gz" not in document["files"]
    expected = base64.b64encode(hashlib.sha256(b'window.PUBLIC_URL="/"').digest()).decode()
    assert document["script_hashes"] == [f"sha256-{expected}"]
    with pytest.raises(BuildFailed):
        script_hashes("<html></html>")


def test_the_link_follows_the_newest_build_and_replaces_no_folder(tmp_path: Path) -> None:
    place = tmp_path / "build" / "ohif"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        link(tmp_path / name, place)
        assert place.resolve() == tmp_path / name
    other = tmp_path / "real"
    other.mkdir()
    with pytest.raises(BuildFailed, match="move it away"):
        link(tmp_path / "one", other)


def test_the_lock_names_one_viewer_and_a_minifier_for_each_machine() -> None:
    packages = [lock.viewer(), lock.minifier("x86_64"), lock.minifier("aarch64")]
    assert all(package.integrity.startswith("sha512-") and len(package.integrity) == 95 for package in packages)
    with pytest.raises(BuildFailed, match="no minifier for pdp11"):
        lock.minifier("pdp11")
