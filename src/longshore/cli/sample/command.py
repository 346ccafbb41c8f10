"""`longshore sample deploy`."""

import sys
from pathlib import Path

import click

from longshore.cli.installation import administrator_key, data_dir_option, require_installation


@click.group("sample")
def application() -> None:
    """A small web service to look at."""


@application.command()
@data_dir_option
def deploy(data_dir: Path) -> None:
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
