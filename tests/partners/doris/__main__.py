"""The double as a program: `python -m tests.partners.doris FOLDER DDL FE_PORT BE_PORT CONTROL_PORT`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.partners.doris.control import Control
from tests.partners.doris.doors import Door
from tests.partners.doris.double import Doris


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    folder, ddl, *ports = arguments
    fe_port, be_port, control_port = map(int, ports)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with Doris(Path(folder), Path(ddl).read_text(encoding="utf-8"), fe_port=fe_port, be_port=be_port) as double:
        control = Door(double, control_port, Control, None)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        control.close()


if __name__ == "__main__":
    main(sys.argv[1:])
