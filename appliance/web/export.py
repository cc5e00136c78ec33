"""Export of a study for a disc or a stick: a ZIP with a DICOMDIR, streamed from the stored files (PS3.10, PS3.12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Final

from flask import Blueprint, Response, current_app, request

from appliance.archive.reading import StoredInstance
from appliance.archive.search import Found
from appliance.dicomweb.problems import Problem
from appliance.dicomweb.stored_files import read_file
from appliance.model.attributes import Level
from appliance.model.matching import Query
from appliance.web import wado
from appliance.web.answers import Refused
from appliance.web.i18n import CHINESE, ENGLISH, Translator
from appliance.web.previews import Previews
from appliance.web.services import services
from appliance.web.study_row import find_study
from appliance.web.worklist import shown_date, shown_name
from appliance.web.zipping import zipped

FileIds = dict[str, tuple[str, ...]]

# One record of the DICOMDIR is about a kilobyte, and all of them stand in memory for a moment.
MOST_INSTANCES: Final = 20_000
README: Final = """\
This medium holds one DICOM study.

DICOMDIR lists its files for any DICOM viewer; the files are in the folder DICOM, exactly as they were received.
{missing}Any DICOM viewer opens them: point it at DICOMDIR or at the folder.
On a PC without one, open INDEX.HTM in a browser: it shows previews of the images, and reports.
The previews are reduced in size and to 8 bits of grey: NOT FOR PRIMARY DIAGNOSIS.

本介质包含一个 DICOM 检查。DICOMDIR 为文件目录，文件位于 DICOM 文件夹中，与接收时完全一致。
{missing_chinese}可用任何 DICOM 浏览软件打开：请选择 DICOMDIR 或 DICOM 文件夹。
没有 DICOM 浏览软件的电脑，可用网页浏览器打开 INDEX.HTM，查看图像预览和报告。
预览图像尺寸缩小且降为 8 位灰度：不可用于主要诊断。
"""
MISSING: Final = "{count} objects of the study are not on this medium: the appliance did not hold them.\n"
MISSING_CHINESE: Final = "此检查有 {count} 个对象不在本介质上：设备未保存这些对象。\n"
INDEX: Final = "INDEX.HTM"


def blueprint() -> Blueprint:
    """Return the export."""
    export = Blueprint("export", __name__)
    export.add_url_rule("/studies/<study_uid>/export", "study", export_study, methods=["GET"])
    return export


def export_study(study_uid: str) -> Response:
    """Answer a study as a ZIP with DICOMDIR, and with previews unless `?previews=no`: 200; 404, 413.

    What is at the centre is fetched back before the answer begins; ends as `Recalling.here` does.
    """
    known = wado.stored(study_uid)
    study = find_study(study_uid)
    recalling = services().recalling
    held = [instance for instance in known if recalling.can_give(instance)]
    if study is None or not held:
        raise Refused(Problem(404, "the bytes under this UID are not held here any more"))
    if len(held) > MOST_INSTANCES:
        raise Refused(Problem(413, f"a study of more than {MOST_INSTANCES} objects is not exported at once"))
    held = recalling.all_here(held)
    files = _file_ids(held)
    rows = _rows(study)
    # With the first export: a room that writes no DICOMDIR is spared what writes one.
    from appliance.web.export_directory import directory

    opening = (
        ("DICOMDIR", [directory(study, _by_series(held), files, rows)]),
        ("README.TXT", [_readme(len(known) - len(held))]),
    )
    drawn = held if request.args.get("previews") != "no" else ()
    previews = Previews(services().codec.run, drawn, files, rows)
    members = chain(opening, _objects(held, files), previews.members(), _index(study, previews))
    answer = Response(zipped(members), content_type=wado.ZIP)
    answer.headers["Content-Disposition"] = f'attachment; filename="{study_uid}-disc.zip"'
    return answer


def _index(study: Found, previews: Previews) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Return the page of the previews, written once all are made; it needs no script and no other host."""
    template = current_app.jinja_env.get_template("medium.html")
    words = {"_": Translator(ENGLISH), "zh": Translator(CHINESE), "name": shown_name, "date": shown_date}

    def members() -> Iterator[tuple[str, Iterable[bytes]]]:
        if previews.sheets:
            yield INDEX, [template.render(study=study, sheets=previews.sheets, **words).encode()]

    return members()


def _readme(missing: int) -> bytes:
    notes = [note.format(count=missing) if missing else "" for note in (MISSING, MISSING_CHINESE)]
    return README.format(missing=notes[0], missing_chinese=notes[1]).replace("\n", "\r\n").encode("utf-8-sig")


def _objects(held: Sequence[StoredInstance], files: FileIds) -> Iterator[tuple[str, Iterable[bytes]]]:
    for instance in held:
        yield "/".join(files[instance.sop_uid]), read_file(instance.path, instance.file_size)


def _by_series(held: Iterable[StoredInstance]) -> Iterator[list[StoredInstance]]:
    for _, members in groupby(held, lambda instance: instance.series_uid):
        yield list(members)


def _file_ids(held: Sequence[StoredInstance]) -> FileIds:
    """Return file IDs by instance: components of 8 characters at most, capitals and digits (PS3.10 8.2, 8.5)."""
    return {
        instance.sop_uid: ("DICOM", f"SE{number:06d}", f"IM{place:06d}")
        for number, members in enumerate(_by_series(held), 1)
        for place, instance in enumerate(members, 1)
    }


def _rows(study: Found) -> dict[str, Found]:
    query = Query(Level.INSTANCE, study_uid=str(study["StudyInstanceUID"]), limit=MOST_INSTANCES * 2)
    return {str(row["SOPInstanceUID"]): row for row in services().archive.search.find(query)}
