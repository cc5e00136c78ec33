"""Every certificate file of the configuration is watched, wherever it stands."""

from __future__ import annotations

from pathlib import Path

from appliance.config import load
from appliance.config.certificate_files import certificate_files

VARIABLES = {
    "SCP__TLS_PORT": "2762",
    "SCP__TLS_CERTIFICATE": "/door.crt",
    "SCP__TLS_KEY": "/door.key",
    "SCP__TLS_CA": "/ca.pem",
    "SCP__TLS_CRL": "/crl.pem",
    "SYNC__SINKS__CENTRE__KIND": "stow",
    "SYNC__SINKS__CENTRE__URL": "https://centre.example/dicom-web",
    "SYNC__SINKS__CENTRE__TLS_CERTIFICATE": "/box.crt",
    "SYNC__SINKS__CENTRE__TLS_KEY": "/box.key",
    "SYNC__SINKS__CENTRE__TLS_CA": "/centre.pem",
}


def test_certificates_authorities_and_lists_are_found_by_their_keys_and_private_keys_are_not() -> None:
    settings = load(None, {f"APPLIANCE__{name}": value for name, value in VARIABLES.items()}).settings
    assert certificate_files(settings, {}) == {
        "scp.tls_certificate": Path("/door.crt"),
        "scp.tls_ca": Path("/ca.pem"),
        "scp.tls_crl": Path("/crl.pem"),
        "sync.sinks.centre.tls_certificate": Path("/box.crt"),
        "sync.sinks.centre.tls_ca": Path("/centre.pem"),
    }
