"""`longshore env`: what a shell needs for AWS's own clients."""

import shlex
import sys
from pathlib import Path

import click

from longshore.cli.installation import administrator_key, data_dir_option, require_installation


@click.command("env")
@data_dir_option
def show(data_dir: Path) -> None:
    """Print the exports that point AWS's clients here: eval "$(longshore env)"."""
    installation = require_installation(data_dir)
    key = administrator_key(installation)
    values = {
        "AWS_ENDPOINT_URL": installation.endpoint_url,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_REGION": installation.region,
        "AWS_DEFAULT_REGION": installation.region,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    lines.append("unset AWS_SESSION_TOKEN AWS_PROFILE")
    sys.stdout.write("\n".join(lines) + "\n")
