"""`longshore doctor`: what is missing or wrong on this machine, and what mends it."""

import sys
from pathlib import Path

import click

from longshore.cli.installation import data_dir_option, find_installation


@click.command("doctor")
@data_dir_option
@click.option("--port", type=int, help="The port it is to have.")
def examine(data_dir: Path, port: int | None) -> None:
    """Examine this machine; exit status 1 if Longshore cannot run on it."""
    # Imported here, so that `longshore up` does not wait for it.
    from longshore.components.doctor import Level, check, render

    saved = find_installation(data_dir)
    findings = check(port or (saved.port if saved else None), data_dir.absolute())
    sys.stdout.write(render(findings))
    if any(finding.level is Level.FAIL for finding in findings):
        sys.exit(1)
