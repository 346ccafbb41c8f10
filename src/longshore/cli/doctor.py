"""`longshore doctor`: what is missing or wrong on this machine, and what mends it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from longshore.base.installation import DEFAULT_DATA_DIR, load_installation


def examine(
    data_dir: Annotated[Path, typer.Option(help="Where the installation keeps everything.")] = (
        DEFAULT_DATA_DIR
    ),
    port: Annotated[int | None, typer.Option(help="The port it is to have.")] = None,
) -> None:
    """Examine this machine; exit status 1 if Longshore cannot run on it."""
    # Imported here, so that `longshore up` does not wait for it.
    from longshore.components.doctor import Level, check, render

    saved = load_installation(data_dir.absolute())
    findings = check(port or (saved.port if saved else None), data_dir.absolute())
    sys.stdout.write(render(findings))
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(1)
