"""A real nginx in front of the web room or the receiver, with the configuration that is shipped for each."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from appliance.care.setup.proxy_file import Front
from tests.builders.certificates import Authority, Pair
from tests.partners.ports import free_ports
from tests.partners.program import Program, executable

PACKAGING = Path(__file__).resolve().parents[2] / "packaging" / "nginx"
SHIPPED = PACKAGING / "dicom-edge-appliance.conf"
CENTRAL = PACKAGING / "central.conf"
READY_SECONDS = 15.0
NOTHING: Mapping[str, str] = MappingProxyType({})
AROUND = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


class Proxy:
    """One nginx on 127.0.0.1 with a shipped site. A context manager: on exit its process is gone."""

    def __init__(self, folder: Path, shipped: Path, changes: Iterable[tuple[str, str]]) -> None:
        """Write its files, `changes` made to what is shipped; nothing is started yet."""
        folder.mkdir(parents=True, exist_ok=True)
        site = shipped.read_text()
        for told, here in (*changes, ("/var/log/nginx/", f"{folder}/")):
            assert told in site, f"{shipped.name} does not say {told!r} any more"
            site = site.replace(told, here)
        (folder / "site.conf").write_text(site)
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
        command = [executable("nginx", "nginx-light"), "-c", str(folder / "nginx.conf"), "-p", str(folder)]
        self.folder = folder
        self.port = 0
        self.program = Program(command, folder / "nginx.log")

    @property
    def url(self) -> str:
        """Root as clients see it, without a slash at the end."""
        return f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start, and wait until what is behind it answers."""
        self.program.start()
        self.program.wait_until(self._answers, READY_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.program.stop()

    def _answers(self) -> bool:
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/healthz", timeout=2, context=anybody) as answer:
            return bool(answer.status == 200)
        return False


class Nginx(Proxy):
    """nginx in front of the web room, with what is one box's own beside the site. Clients trust `trusted`."""

    def __init__(self, folder: Path, socket: Path, home: Path, more: Mapping[str, str] = NOTHING) -> None:
        """Write its files; nothing is started yet. `socket` is the web room's; `more` are further files by name."""
        parts = folder / "dicom-edge-appliance.d"
        parts.mkdir(parents=True, exist_ok=True)
        port, self.plain_port = free_ports(2)
        own = Authority(folder, "Server authority")
        pair = own.issue("localhost")
        self.trusted = own.certificate
        front = Front(f"127.0.0.1:{port}", ("localhost", "127.0.0.1"), pair.certificate, pair.key)
        plain = f"listen 127.0.0.1:{self.plain_port};\n"
        for name, text in {"50-installation.conf": front.text() + plain, **more}.items():
            (parts / name).write_text(text)
        changes = (
            ("/run/dicom-edge-appliance/web.sock", str(socket)),
            ("/etc/nginx/dicom-edge-appliance.d", str(parts)),
            ("/var/lib/dicom-edge-appliance", str(home)),
        )
        super().__init__(folder, SHIPPED, changes)
        self.port = port


class CentralNginx(Proxy):
    """nginx in front of the receiver. `authority` is the PEM file that names who signed the sites' certificates.

    `revoked` is its revocation list; without one none is looked at. Clients trust `trusted`.
    """

    def __init__(self, folder: Path, socket: Path, authority: Path, revoked: Path | None = None) -> None:
        """Write its files; nothing is started yet. `socket` is the receiver's."""
        folder.mkdir(parents=True, exist_ok=True)
        (port,) = free_ports(1)
        own = Authority(folder, "Server authority")
        pair = own.issue("receiver.example")
        self.trusted = own.certificate
        super().__init__(folder, CENTRAL, central_changes(folder, port, socket, pair, authority, revoked))
        self.port = port


def central_changes(
    folder: Path, port: int, socket: Path, pair: Pair, authority: Path, revoked: Path | None
) -> tuple[tuple[str, str], ...]:
    """Write the files beside the receiver's site that belong to one centre; return what changes in the site."""
    parts = folder / "dicom-edge-central.d"
    parts.mkdir(parents=True, exist_ok=True)
    listed = f"ssl_crl {revoked};\n" if revoked else ""
    texts = {
        "listen.conf": f"listen 127.0.0.1:{port} ssl http2 default_server;\nserver_name receiver.example;\n",
        "certificate.conf": f"ssl_certificate {pair.certificate};\nssl_certificate_key {pair.key};\n",
        "sites.conf": f"ssl_client_certificate {authority};\n{listed}ssl_verify_client optional;\n",
    }
    for name, text in texts.items():
        (parts / name).write_text(text)
    return (
        ("/run/dicom-edge-central/receiver.sock", str(socket)),
        ("/etc/nginx/dicom-edge-central.d", str(parts)),
    )
