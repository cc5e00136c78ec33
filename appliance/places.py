"""Where the package puts what it installs, and who owns it: the one list that units, set-up and checks agree on.

After the Filesystem Hierarchy Standard 3.0. `tests/architecture` holds the files of systemd/ and packaging/ against it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

USER: Final = "dicom-edge"
GROUP: Final = "dicom-edge"
# Who may read stored objects and nothing else of the home: the web server, which sends them from the disk itself.
FILES_GROUP: Final = "dicom-edge-files"
# Whom nginx runs as on Debian.
PROXY_USER: Final = "www-data"

ETC: Final = Path("/etc/dicom-edge-appliance")
CONFIGURATION: Final = ETC / "appliance.toml"
# What the installer was answered; read after appliance.toml, like everything in conf.d.
ANSWERS: Final = ETC / "conf.d" / "50-installation.toml"
# Secrets, root's alone; the service manager hands them to the units (LoadCredential=).
CREDENTIALS: Final = ETC / "credentials"
PKI: Final = ETC / "pki"
LIB: Final = Path("/usr/lib/dicom-edge-appliance")
# What the package decides and no administrator has to read; below every other source of the configuration.
VENDOR: Final = LIB / "vendor.toml"
SHARE: Final = Path("/usr/share/dicom-edge-appliance")
HOME: Final = Path("/var/lib/dicom-edge-appliance")
BACKUPS: Final = Path("/var/backups/dicom-edge-appliance")
RUNTIME: Final = Path("/run/dicom-edge-appliance")
WEB_SOCKET: Final = RUNTIME / "web.sock"
CODEC_SOCKET: Final = RUNTIME / "codec.sock"
DROP_INS: Final = Path("/etc/systemd/system")
