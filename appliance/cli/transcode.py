"""`appliance transcode`: decode now what browsers cannot, so that nobody waits for it later."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import click

from appliance.archive.reading import StoredInstance
from appliance.archive.room import Archive
from appliance.cli.exit_codes import ExitCode
from appliance.cli.installation import Installation, pass_installation
from appliance.cli.output import counted, print_json, print_rows
from appliance.codec.cache import FrameCache
from appliance.codec.decoding import decoding
from appliance.codec.faults import CodecFault
from appliance.codec.limits import Limits
from appliance.errors import ConfigurationError, NotFound

if TYPE_CHECKING:
    from appliance.web.prepared_frames import PreparedFrames

COLUMNS = ("sop_uid", "transfer_syntax_uid", "fault", "reason")
AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Failure:
    """An object that could not be decoded."""

    study_uid: str
    sop_uid: str
    transfer_syntax_uid: str
    fault: str
    reason: str


@dataclass
class Summary:
    """What became of the objects; `frames` counts those that are kept now."""

    objects: int = 0
    frames: int = 0
    unreadable: list[Failure] = field(default_factory=list)


@click.command()
@click.argument("study", required=False, default="")
@click.option("--all-unreadable", "everything", is_flag=True, help="Every object that browsers cannot decode.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as a JSON object.")
@pass_installation
@click.pass_context
def transcode(ctx: click.Context, installation: Installation, study: str, everything: bool, as_json: bool) -> None:
    """Decode the images of STUDY that browsers cannot, and keep them ready. Stored objects are not touched.

    Ends with 1 when an object cannot be decoded; `appliance status` counts those.
    """
    if bool(study) == everything:
        raise click.UsageError("name a study, or say --all-unreadable")
    if not installation.settings.codec.cache_bytes:
        raise ConfigurationError("codec.cache_bytes is 0: nothing is kept", hint="set codec.cache_bytes")
    with installation.archive() as archive, frames_of(installation, archive) as frames:
        chosen = list(_of_study(archive, study) if study else _everything(archive))
        summary = Summary()
        with progress(chosen) as shown:
            for instance in shown:
                _prepare(frames, instance, summary)
    print_summary(summary, as_json=as_json)
    ctx.exit(ExitCode.FINDINGS if summary.unreadable else ExitCode.OK)


@contextmanager
def frames_of(installation: Installation, archive: Archive) -> Iterator[PreparedFrames]:
    """The frames of a box, decoded by the codec service, or without one by children of this very process."""
    from appliance.web.prepared_frames import PreparedFrames

    settings = installation.settings
    pool = decoding(Limits(**settings.codec.limits()), settings.codec.socket)
    cache = FrameCache(settings.home / "cache" / "frames", settings.codec.cache_bytes)
    try:
        yield PreparedFrames(pool, cache, archive.transcodes, archive.numbers.disk)
    finally:
        pool.close()


def _of_study(archive: Archive, study_uid: str) -> Iterator[StoredInstance]:
    from appliance.web.prepared_frames import UNREADABLE

    found = archive.reading.instances(study_uid)
    if not found:
        raise NotFound(f"there is no study {study_uid}", hint="the study list of the web room shows their UIDs")
    yield from (one for one in found if one.held and one.transfer_syntax_uid in UNREADABLE)


def _everything(archive: Archive) -> Iterator[StoredInstance]:
    from appliance.web.prepared_frames import UNREADABLE

    after = 0
    while candidates := archive.transcodes.stored_in(UNREADABLE, after, AT_ONCE):
        for one in candidates:
            yield from archive.reading.instances(one.study_uid, one.series_uid, one.sop_uid)
        after = candidates[-1].version_id


@contextmanager
def progress(chosen: list[StoredInstance]) -> Iterator[Iterable[StoredInstance]]:
    """The objects under a progress bar on a terminal, else just the objects."""
    if not sys.stderr.isatty():
        yield chosen
        return
    with click.progressbar(chosen, label="Decoding", file=sys.stderr, show_pos=True) as bar:
        yield bar


def _prepare(frames: PreparedFrames, instance: StoredInstance, summary: Summary) -> None:
    summary.objects += 1
    try:
        for _ in frames.prepare(instance):
            summary.frames += 1
    except CodecFault as fault:
        summary.unreadable.append(
            Failure(instance.study_uid, instance.sop_uid, instance.transfer_syntax_uid, fault.kind.value, fault.message)
        )


def print_summary(summary: Summary, *, as_json: bool) -> None:
    """Counts, and the objects that could not be decoded."""
    if as_json:
        print_json(asdict(summary))
        return
    click.echo(f"{counted(summary.frames, 'frame', 'frames')} of {counted(summary.objects, 'object', 'objects')} ready")
    if summary.unreadable:
        print_rows([asdict(one) for one in summary.unreadable], COLUMNS, as_json=False, empty="")
