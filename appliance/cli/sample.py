"""`appliance sample`: a small synthetic study, sent to this appliance as a modality would."""

from __future__ import annotations

from pathlib import Path

import click

from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import counted
from appliance.config import Settings

CALLING_AE = "SAMPLE"
ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
MARKER = "sample-sent"


@click.command()
@pass_installation
def sample(installation: Installation) -> None:
    """Send a synthetic sample study to this appliance by C-STORE; a second time changes nothing."""
    count = send(installation.settings)
    click.echo(f"Sent {counted(count, 'sample image', 'sample images')}.")


def send(settings: Settings) -> int:
    """Send the study to the appliance's own DICOM port; return the number of images.

    Each was answered with success. A repeat makes duplicates, which change nothing. Raises PeerError.
    """
    from appliance.cli.sample_study import study  # here, so that no room loads pydicom for it
    from appliance.dimse.client import Peer, store

    images = study(f"{settings.site.tenant}/{settings.site.id}")
    host = ANYWHERE.get(settings.scp.host, settings.scp.host)
    store(Peer(host, settings.scp.port, settings.scp.ae_title, CALLING_AE), images)
    return len(images)


def marker(home: Path) -> Path:
    """The file that says `appliance run --sample` has sent the study from this home before."""
    return home / MARKER
