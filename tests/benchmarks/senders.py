"""The two senders: dcmtk's storescu, and a raw one that has every byte ready before the clock starts."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from tests.builders import instances
from tests.partners.dcmtk import tool
from tests.partners.raw_scu import COMMAND, DATA, EXPLICIT, LAST, RawScu, pdu, pdv, store_command

CT = instances.CT_IMAGE_STORAGE


@dataclass(frozen=True)
class Load:
    """What is sent: `count` instances of `pixel_bytes` pixels over `associations` at once."""

    name: str
    count: int
    pixel_bytes: int
    associations: int


def datasets(load: Load) -> list[Dataset]:
    """New instances, one series per association."""
    pixels = os.urandom(load.pixel_bytes)
    side = int((load.pixel_bytes / 2) ** 0.5)
    share = load.count // load.associations
    return [
        dataset
        for _ in range(load.associations)
        for dataset in instances.series(share, Rows=side, Columns=side, PixelData=pixels)
    ]


def storescu(load: Load, folder: Path, *, nodelay: bool = True) -> Callable[[int], float]:
    """Write the files; the returned function sends them to a port and gives the seconds it took."""
    share = load.count // load.associations
    for number, dataset in enumerate(datasets(load)):
        part = folder / str(number // share)
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{number}.dcm").write_bytes(instances.part10(dataset))
    environ = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    if nodelay:
        environ["TCP_NODELAY"] = "1"

    def send(port: int) -> float:
        command = [tool("storescu"), "-aec", "APPLIANCE", "127.0.0.1", str(port), "+sd"]
        begun = time.perf_counter()
        running = [
            subprocess.Popen([*command, str(folder / str(part))], env=environ) for part in range(load.associations)
        ]
        assert [process.wait() for process in running] == [0] * load.associations
        return time.perf_counter() - begun

    return send


def raw(load: Load, fragment: int = 131060) -> Callable[[int], float]:
    """Encode everything to PDUs; the returned function sends them and gives the seconds it took."""
    share = load.count // load.associations
    encoded = [_encoded(dataset, fragment) for dataset in datasets(load)]
    parts = [encoded[start : start + share] for start in range(0, len(encoded), share)]

    def send(port: int) -> float:
        scus = [RawScu("127.0.0.1", port, contexts=((CT, (EXPLICIT,)),), timeout=120).open() for _ in parts]
        threads = [threading.Thread(target=_send_all, args=(scu, part)) for scu, part in zip(scus, parts, strict=True)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begun
        for scu in scus:
            scu.release()
        return seconds

    return send


def _encoded(dataset: Dataset, fragment: int) -> bytes:
    command = pdu(4, pdv(1, COMMAND | LAST, store_command(CT, dataset.SOPInstanceUID)))
    data = instances.encode(dataset)
    pieces = [data[start : start + fragment] for start in range(0, len(data), fragment)]
    last = len(pieces) - 1
    return command + b"".join(
        pdu(4, pdv(1, DATA | (LAST if number == last else 0), piece)) for number, piece in enumerate(pieces)
    )


def _send_all(scu: RawScu, messages: Sequence[bytes]) -> None:
    for message in messages:
        scu.send(message)
        status = scu.read_response().status
        assert status == 0, f"status 0x{status:04X}"
