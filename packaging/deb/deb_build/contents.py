"""What the packages hold besides the virtual environment: which file of the source goes where. One table."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deb_build.failure import BuildFailed

BOX: Final = "dicom-edge-appliance"
CENTRE: Final = "dicom-edge-central"
# debhelper 13.11 looks for units here; debian/rules moves them below /usr when it has.
UNITS: Final = "lib/systemd/system"
CENTRAL_UNITS: Final = ("central.target", "dicom-edge-central-*")


@dataclass(frozen=True)
class Item:
    """Files of the source (`pattern`) and the folder of a package they go to; `name` where it changes."""

    package: str
    pattern: str
    folder: str
    name: str = ""
    without: tuple[str, ...] = ()


ITEMS: Final = (
    Item(BOX, "packaging/vendor.toml", "usr/lib/dicom-edge-appliance"),
    Item(BOX, "packaging/deb/appliance.toml", "etc/dicom-edge-appliance"),
    Item(BOX, "packaging/nginx/dicom-edge-appliance.conf", "etc/nginx/sites-available"),
    Item(BOX, "systemd/appliance.target", UNITS),
    Item(BOX, "systemd/dicom-edge-*.*", UNITS, without=CENTRAL_UNITS),
    Item(BOX, "docs/*.md", "usr/share/doc/dicom-edge-appliance"),
    Item(BOX, "docs/adr/*.md", "usr/share/doc/dicom-edge-appliance/adr"),
    Item(BOX, "README.md", "usr/share/doc/dicom-edge-appliance"),
    Item(BOX, "SECURITY.md", "usr/share/doc/dicom-edge-appliance"),
    Item(BOX, "packaging/prometheus/*.yml", "usr/share/doc/dicom-edge-appliance/examples/prometheus"),
    Item(BOX, "packaging/mosquitto/*", "usr/share/doc/dicom-edge-appliance/examples/mosquitto"),
    Item(CENTRE, "packaging/deb/central.toml", "etc/dicom-edge-central", "appliance.toml"),
    Item(CENTRE, "packaging/nginx/central.conf", "etc/nginx/sites-available", "dicom-edge-central.conf"),
    Item(CENTRE, "systemd/central.target", UNITS),
    Item(CENTRE, "systemd/dicom-edge-central-*.*", UNITS),
)
# Empty when installed, with their modes; what root writes there, the package never sees.
FOLDERS: Final = (
    (BOX, "etc/dicom-edge-appliance/conf.d", 0o755),
    (BOX, "etc/dicom-edge-appliance/credentials", 0o700),
    (BOX, "etc/nginx/dicom-edge-appliance.d", 0o755),
    (CENTRE, "etc/nginx/dicom-edge-central.d", 0o755),
    (CENTRE, "etc/dicom-edge-central/conf.d", 0o755),
    (CENTRE, "etc/dicom-edge-central/credentials", 0o700),
)


def install(source: Path, packages: Path) -> None:
    """Copy every item of the table below `packages`/<package>. Raises BuildFailed, naming all that is missing."""
    missing = [item.pattern for item in ITEMS if not _install_one(item, source, packages)]
    if missing:
        raise BuildFailed(f"missing in the source: {', '.join(missing)}")
    for package, folder, _ in FOLDERS:
        (packages / package / folder).mkdir(parents=True, exist_ok=True)


def _install_one(item: Item, source: Path, packages: Path) -> bool:
    folder = packages / item.package / item.folder
    chosen = [path for path in sorted(source.glob(item.pattern)) if not any(map(path.match, item.without))]
    for path in chosen:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / (item.name or path.name))
    return bool(chosen)


def fix_modes(packages: Path) -> None:
    """Set the modes that debhelper's own rule (0644, 0755) does not know."""
    for package, folder, mode in FOLDERS:
        place = packages / package / folder
        if place.is_dir():
            place.chmod(mode)
