"""Instances in explicit VR little endian, for who cannot take them as they are stored."""

from __future__ import annotations

import tempfile
from errno import EDQUOT, ENOSPC
from typing import IO, Final

from appliance.archive.reading import StoredInstance
from appliance.dicomweb.frame_media import is_video
from appliance.errors import ArchiveError, DiskFull
from appliance.model.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from appliance.web.prepared_frames import source_of
from appliance.web.services import services
from appliance.web.streams import open_stored

IN_MEMORY: Final = 4 << 20


def can_transcode(transfer_syntax_uid: str) -> bool:
    """Say whether instances in this transfer syntax may be given in explicit VR little endian instead."""
    return transfer_syntax_uid != EXPLICIT_VR_LITTLE_ENDIAN and not is_video(transfer_syntax_uid)


def transcoded(instance: StoredInstance) -> IO[bytes]:
    """Return the whole file of an instance in explicit VR little endian; the caller closes it.

    A large one stands in the spool. Raises CodecFault, NotFound, ArchiveError, DiskFull.
    """
    open_stored(instance).close()
    spool = str(services().spool)
    file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=spool)  # noqa: SIM115

    def take(data: bytes) -> None:
        file.write(data)

    try:
        arguments = {"syntax": EXPLICIT_VR_LITTLE_ENDIAN}
        rest = services().codec.run("transcode", source_of(instance), arguments, sink=take)
        file.write(rest.data)
        file.seek(0)
    except OSError as error:
        file.close()
        raise _storage_error(error) from error
    except BaseException:
        file.close()
        raise
    return file


def _storage_error(error: OSError) -> ArchiveError:
    if error.errno in (ENOSPC, EDQUOT):
        return DiskFull("there is no room for this answer", hint="ask for fewer instances, or as they are stored")
    return ArchiveError("a stored file cannot be read", hint="run appliance fsck")
