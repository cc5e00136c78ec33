"""What a package must be: sizes, files that must be there, and what must not. Pure: it is given what was read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from deb_build.contents import BOX, CENTRE, FOLDERS
from deb_build.package import Entry, Package

MEGABYTE: Final = 10**6
LARGEST_PACKAGE: Final = 160 * MEGABYTE
LARGEST_INSTALLED: Final = 450 * MEGABYTE
# A sample of every part: who forgets to install one, hears of it.
REQUIRED: Final = {
    BOX: (
        "usr/bin/appliance",
        "usr/bin/appliance-pki",
        "usr/lib/dicom-edge-appliance/vendor.toml",
        "usr/lib/dicom-edge-appliance/venv/pyvenv.cfg",
        "usr/lib/dicom-edge-appliance/venv/bin/python3",
        "usr/lib/systemd/system/appliance.target",
        "usr/lib/systemd/system/dicom-edge-scp.service",
        "usr/lib/systemd/system/dicom-edge-scp.socket",
        "usr/lib/systemd/system/dicom-edge-migrate.service",
        "usr/lib/sysusers.d/dicom-edge-appliance.conf",
        "usr/lib/tmpfiles.d/dicom-edge-appliance.conf",
        "usr/share/dicom-edge-appliance/ohif/index.html",
        "usr/share/doc/dicom-edge-appliance/copyright",
        "usr/share/doc/dicom-edge-appliance/sbom.cdx.json",
        "usr/share/man/man1/appliance.1.gz",
        "usr/share/man/man1/appliance-pki.1.gz",
        "usr/share/bash-completion/completions/appliance",
        "etc/dicom-edge-appliance/appliance.toml",
        "etc/nginx/sites-available/dicom-edge-appliance.conf",
    ),
    CENTRE: (
        "usr/lib/systemd/system/central.target",
        "usr/lib/systemd/system/dicom-edge-central-receiver.service",
        "usr/lib/systemd/system/dicom-edge-central-loader.service",
        "usr/share/doc/dicom-edge-central/copyright",
        "etc/dicom-edge-central/appliance.toml",
        "etc/nginx/sites-available/dicom-edge-central.conf",
    ),
}
SCRIPTS: Final = {
    BOX: ("conffiles", "config", "postinst", "postrm", "preinst", "prerm", "templates"),
    CENTRE: ("conffiles", "postinst", "postrm", "prerm"),
}
# Of the two installers of packages and their traces, nothing; no key or certificate ever.
FORBIDDEN: Final = (
    "/pip/",
    "/setuptools/",
    "/pkg_resources/",
    "/_distutils_hack/",
    "/tests/",
    "etc/dicom-edge-appliance/pki/",
)


def faults(package: Package) -> Iterator[str]:
    """Yield a sentence for each thing that is not as it should be."""
    name = package.fields["Package"]
    yield from _sizes(package)
    here = {entry.path.rstrip("/") for entry in package.entries}
    yield from (f"{path} is missing" for path in REQUIRED[name] if path not in here)
    yield from (f"the control file {script} is missing" for script in SCRIPTS[name] if script not in package.control)
    modes = {folder: mode for owner, folder, mode in FOLDERS if owner == name}
    for entry in package.entries:
        yield from _of_entry(entry, modes)


def _sizes(package: Package) -> Iterator[str]:
    packed = package.path.stat().st_size
    if packed > LARGEST_PACKAGE:
        yield f"the package has {packed / MEGABYTE:.0f} MB; at most {LARGEST_PACKAGE / MEGABYTE:.0f} are allowed"
    if package.installed_bytes > LARGEST_INSTALLED:
        yield f"installed it takes {package.installed_bytes / MEGABYTE:.0f} MB of {LARGEST_INSTALLED / MEGABYTE:.0f}"


def _of_entry(entry: Entry, modes: dict[str, int]) -> Iterator[str]:
    path = entry.path.rstrip("/")
    if entry.owner != "root:root":
        yield f"{path} belongs to {entry.owner}"
    if any(part in f"/{entry.path}" for part in FORBIDDEN):
        yield f"{path} has no place in the package"
    if not entry.link:
        allowed = (modes.get(path, 0o755),) if entry.is_folder else (0o644, 0o755)
        if entry.mode & 0o7777 not in allowed:
            yield f"{path} has the mode {entry.mode & 0o7777:04o}"
