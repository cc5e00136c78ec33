"""`python -m appliance`: the same command as `appliance`."""

from __future__ import annotations

import sys
from typing import Final

# Children decode, with an entry of their own (appliance/codec/child.py). pydicom would load these into every room
# that it finds them in: C libraries that read whatever was sent, and a third of the room's memory.
DECODERS: Final = ("PIL", "gdcm", "jpeg_ls", "numpy", "openjpeg", "pylibjpeg", "rle")


def main() -> None:
    """Run the command line, without decoders in this process.

    An interrupt ends quietly, a defect with a traceback and its own exit code.
    """
    without_decoders()
    try:
        from appliance import logs
        from appliance.cli.exit_codes import ExitCode
        from appliance.cli.main import cli

        logs.configure("WARNING", "console", "cli")  # a room's main sets its own
        try:
            cli(prog_name="appliance")
        except Exception:  # boundary: 1 is a word of the verbs; a defect must not sound like one
            logs.get_logger(__name__).exception("unexpected error")
            sys.exit(ExitCode.INTERNAL)
    except KeyboardInterrupt:
        sys.exit(130)


def without_decoders() -> None:
    """Let every further import of a decoder in this process fail as if it were not installed."""
    for name in DECODERS:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # what an import takes for "there is none"


if __name__ == "__main__":
    main()
