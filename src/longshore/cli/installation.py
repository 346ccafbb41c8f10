"""The installation and the administrator's key that a command works with."""

import json
from pathlib import Path
from typing import NamedTuple

import click

from longshore.base.installation import DEFAULT_DATA_DIR, Installation, load_installation

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    default=DEFAULT_DATA_DIR,
    show_default=True,
    help="Where the installation keeps everything.",
)
"""Of every command: gives its function `data_dir`."""


class AdministratorKey(NamedTuple):
    """The access key made at first start, in `<data_dir>/administrator.json` (mode 0600)."""

    access_key_id: str
    secret_access_key: str


def find_installation(data_dir: Path) -> Installation | None:
    """The installation in `data_dir`, if there is one; ends the command for who may not look."""
    try:
        return load_installation(data_dir.absolute())
    except PermissionError:
        raise click.ClickException(
            f"Only root may read {data_dir}, where Longshore keeps its keys. Run this as root: "
            "sudo longshore …"
        ) from None


def require_installation(data_dir: Path) -> Installation:
    """The installation in `data_dir`; ends the command with what to do where there is none."""
    installation = find_installation(data_dir)
    if installation is None:
        raise click.BadParameter(
            f"There is no Longshore in {data_dir}. Start one: longshore up --data-dir {data_dir}"
        )
    return installation


def administrator_key(installation: Installation) -> AdministratorKey:
    """The administrator's key; ends the command with what to do where it cannot be read."""
    path = installation.data_dir / "administrator.json"
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        raise click.BadParameter("Longshore has not been up here yet: longshore up") from None
    except PermissionError:
        raise click.BadParameter(f"Only the owner of {path} may read the key.") from None
    return AdministratorKey(found["access_key_id"], found["secret_access_key"])
