"""A real nginx in front of the web room or the receiver, with the configuration that is shipped for each."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.builders.certificates import Authority
from tests.partners.ports import free_ports
from tests.partners.program import Program, executable

PACKAGING = Path(__file__).resolve().parents[2] / "packaging" / "nginx"
SHIPPED = PACKAGING / "dicom-edge-appliance.conf"
CENTRAL = PACKAGING / "central.conf"
READY_SECONDS = 15.0
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
    """nginx in front of the web room."""

    def __init__(self, folder: Path, behind_port: int) -> None:
        """Write its files; nothing is started yet. `behind_port` is the web room's."""
        folder.mkdir(parents=True, exist_ok=True)
        port, plain = free_ports(2)
        pair = Authority(folder).issue("nginx")
        changes = (
            ("127.0.0.1:8080", f"127.0.0.1:{behind_port}"),
            ("    listen [::]:80;\n", ""),
            ("    listen [::]:443 ssl http2;\n", ""),
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("/etc/ssl/pacs.example/fullchain.pem", str(pair.certificate)),
            ("/etc/ssl/pacs.example/key.pem", str(pair.key)),
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
        place = "/etc/ssl/receiver.example"
        listed = f"    ssl_crl                {place}/sites-crl.pem;\n"
        changes = (
            ("/run/dicom-edge-central/receiver.sock", str(socket)),
            ("    listen [::]:443 ssl http2 default_server;\n", ""),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            (f"{place}/fullchain.pem", str(pair.certificate)),
            (f"{place}/key.pem", str(pair.key)),
            (f"{place}/sites-ca.pem", str(authority)),
            (listed, f"    ssl_crl {revoked};\n" if revoked else ""),
        )
        super().__init__(folder, CENTRAL, changes)
        self.port = port
