"""The build's own installer of wheels: believes RECORD, writes what belongs into site-packages, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest
from deb_build import bytecode, links, wheel
from deb_build.failure import BuildFailed
from deb_build.pruning import kept

FILES = {
    "thing/__init__.py": b"x = 1\n",
    "thing/tests/test_it.py": b"assert False\n",
    "thing-1.0.data/purelib/other.py": b"y = 2\n",
    "thing-1.0.data/scripts/thing": b"#!python\n",
    "thing-1.0.dist-info/METADATA": b"Name: thing\n",
}
RECORD = "thing-1.0.dist-info/RECORD"


def hashed(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def published(folder: Path, files: dict[str, bytes], believed: dict[str, bytes] | None = None) -> Path:
    """Write a wheel of `files`, whose RECORD speaks of the contents `believed`."""
    path = folder / "thing-1.0-py3-none-any.whl"
    lines = [f"{name},{hashed(content)},{len(content)}" for name, content in (believed or files).items()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(RECORD, "\n".join([*lines, f"{RECORD},,"]))
    return path


def test_libraries_are_installed_and_tests_and_programs_are_not(tmp_path: Path) -> None:
    site = tmp_path / "site"
    wheel.install(published(tmp_path, FILES), site)
    found = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    info = {f"thing-1.0.dist-info/{name}" for name in ("METADATA", "RECORD", "INSTALLER")}
    assert found == {"thing/__init__.py", "other.py"} | info


def test_record_names_what_is_there_with_its_hash(tmp_path: Path) -> None:
    site = tmp_path / "site"
    wheel.install(published(tmp_path, FILES), site)
    lines = [line.split(",") for line in (site / RECORD).read_text().splitlines()]
    assert [name for name, _, _ in lines] == [*sorted(name for name, _, _ in lines[:-1]), RECORD]
    for name, digest, size in lines[:-1]:
        content = (site / name).read_bytes()
        assert (digest, size) == (hashed(content), str(len(content)))


def test_a_file_that_is_not_what_record_says_is_refused(tmp_path: Path) -> None:
    changed = {**FILES, "thing/__init__.py": b"import os\n"}
    with pytest.raises(BuildFailed, match="RECORD"):
        wheel.install(published(tmp_path, changed, FILES), tmp_path / "site")


@pytest.mark.parametrize("name", ["../out.py", "/out.py", "thing-1.0.data/purelib/../../out.py"])
def test_a_file_outside_of_site_packages_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BuildFailed, match="outside"):
        wheel.install(published(tmp_path, {name: b""}), tmp_path / "site")


def test_two_distributions_may_not_hold_the_same_file(tmp_path: Path) -> None:
    published(tmp_path, FILES)
    wheel.install(tmp_path / "thing-1.0-py3-none-any.whl", tmp_path / "site")
    with pytest.raises(BuildFailed, match="two distributions"):
        wheel.install(tmp_path / "thing-1.0-py3-none-any.whl", tmp_path / "site")


@pytest.mark.parametrize(
    ("place", "is_kept"),
    [
        ("numpy/_core/multiarray.py", True),
        ("numpy/_core/tests/test_x.py", False),
        ("numpy/__init__.pyi", False),
        ("_gdcm/gdcmdump", False),
        ("_gdcm/gdcmswig.py", True),
        ("_gdcm/_gdcmswig.so", True),
        ("thing-1.0.dist-info/licenses/tests/LICENSE", True),
        ("tests.py", True),
    ],
)
def test_what_only_tests_and_compilers_read_is_left_out(place: str, is_kept: bool) -> None:
    assert kept(place) is is_kept


def test_copies_of_a_library_under_shorter_names_become_links(tmp_path: Path) -> None:
    for name in ("libx.so", "libx.so.1", "libx.so.1.2"):
        (tmp_path / name).write_bytes(b"same")
    (tmp_path / "liby.so.1").write_bytes(b"same")
    assert links.merge_libraries(tmp_path) == 2
    assert (tmp_path / "libx.so").readlink() == Path("libx.so.1.2")
    assert not (tmp_path / "liby.so.1").is_symlink()


def test_links_out_of_the_environment_become_relative_to_the_root_of_the_package(tmp_path: Path) -> None:
    programs = tmp_path / "usr/lib/x/venv/bin"
    programs.mkdir(parents=True)
    (programs / "python3.11").symlink_to("/usr/bin/python3.11")
    links.relate(tmp_path / "usr/lib/x/venv", tmp_path)
    assert str((programs / "python3.11").readlink()) == "../../../../bin/python3.11"


def test_byte_code_names_the_place_it_will_be_at_and_is_never_checked(tmp_path: Path) -> None:
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "part.py").write_text("def f():\n    return 1\n")
    bytecode.compile_all(tmp_path, "/usr/lib/x")
    (made,) = tmp_path.rglob("*.pyc")
    content = made.read_bytes()
    # PEP 552: hash-based, and not to be checked against the source.
    assert content[4:8] == b"\x01\x00\x00\x00"
    assert b"/usr/lib/x/thing/part.py" in content and str(tmp_path).encode() not in content


def test_which_file_is_compiled_by_which_process_never_changes(tmp_path: Path) -> None:
    for name, size in (("a", 10), ("b", 30), ("c", 20), ("d", 10)):
        (tmp_path / f"{name}.py").write_text("#" * size)
    assert bytecode.shares(tmp_path) == bytecode.shares(tmp_path) == [["c.py", "a.py"], ["b.py", "d.py"]]
