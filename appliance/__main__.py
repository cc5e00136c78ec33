"""`python -m appliance`: the same command as `appliance`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. An interrupt ends quietly, a defect with a traceback and its own exit code."""
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


if __name__ == "__main__":
    main()
