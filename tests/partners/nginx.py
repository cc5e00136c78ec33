"""A real nginx in front of the web room, with the configuration that is shipped: TLS outside, plain HTTP inside."""

from __future__ import annotations

import ssl
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.builders.certificates import Authority
from tests.partners.ports import free_ports
from tests.partners.program import Program, executable

SHIPPED = Path(__file__).resolve().parents[2] / "packaging" / "nginx" / "dicom-edge-appliance.conf"
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


class Nginx:
    """One nginx on 127.0.0.1. A context manager: on exit its process is gone."""

    def __init__(self, folder: Path, behind_port: int) -> None:
        """Write its files; nothing is started yet. `behind_port` is the web room's."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port, plain = free_ports(2)
        pair = Authority(folder).issue("nginx")
        site = SHIPPED.read_text()
        for shipped, here in (
            ("127.0.0.1:8080", f"127.0.0.1:{behind_port}"),
            ("    listen [::]:80;\n", ""),
            ("    listen [::]:443 ssl http2;\n", ""),
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("/etc/ssl/pacs.example/fullchain.pem", str(pair.certificate)),
            ("/etc/ssl/pacs.example/key.pem", str(pair.key)),
            ("/var/log/nginx/", f"{folder}/"),
        ):
            assert shipped in site, f"{SHIPPED.name} does not say {shipped!r} any more"
            site = site.replace(shipped, here)
        (folder / "site.conf").write_text(site)
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
        command = [executable("nginx", "nginx-light"), "-c", str(folder / "nginx.conf"), "-p", str(folder)]
        self.program = Program(command, folder / "nginx.log")

    @property
    def url(self) -> str:
        """Root of the appliance as browsers see it, without a slash at the end."""
        return f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start, and wait until the appliance behind it answers."""
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
