"""`longshore sample deploy`."""

import sys
from pathlib import Path

import typer

from longshore.base.installation import DEFAULT_DATA_DIR
from longshore.cli.installation import DataDir, administrator_key, require_installation

application = typer.Typer(help="A small web service to look at.", no_args_is_help=True)


@application.callback()
def group() -> None:
    """A small web service to look at."""


@application.command()
def deploy(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Push the sample's image, run it on Fargate in two AZs, and print its address."""
    import tempfile

    from longshore.cli.sample.deployment import Deployment
    from longshore.cli.sample.image import write_image

    installation = require_installation(data_dir)
    deployment = Deployment(installation, administrator_key(installation))
    with tempfile.TemporaryDirectory(prefix="longshore-sample-") as directory:
        image = deployment.push(write_image(Path(directory)))
    address = deployment.run(image)
    sys.stdout.write(f"sample: http://{address}:8080/\n")
