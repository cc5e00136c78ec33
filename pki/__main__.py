"""`python -m pki`, and the console script `appliance-pki`."""

from __future__ import annotations

from pki.cli.main import cli


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    cli(prog_name="appliance-pki")


if __name__ == "__main__":
    main()
