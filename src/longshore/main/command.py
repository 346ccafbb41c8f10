"""The `longshore` command: starting and ending an installation here, the rest in `cli`."""

import os
import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from longshore.base.installation import DEFAULT_DATA_DIR, Installation, load_installation
from longshore.cli import components, doctor, environment, sample, status
from longshore.main.address_pool import choose_public_pool
from longshore.main.supervision import leave_nothing, supervise
from longshore.main.supervisor import AlreadyRunning, end_process, running

READY_SECONDS = 60.0
STOP_SECONDS = 40.0

application = typer.Typer(
    name="longshore",
    help="An AWS container cloud on your own Linux machines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
application.command("env")(environment.show)
application.command("status")(status.show)
application.command("doctor")(doctor.examine)
application.add_typer(components.application, name="components")
application.add_typer(sample.application, name="sample")

DataDir = Annotated[Path, typer.Option(help="Where this installation keeps everything.")]


class Auth(StrEnum):
    ENFORCED = "enforced"
    OPEN = "open"


class RuntimeName(StrEnum):
    CONTAINERD = "containerd"
    SIMULATED = "simulated"


@application.command()
def up(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    port: Annotated[int | None, typer.Option(help="HTTP; HTTPS is one above it.")] = None,
    store: Annotated[str | None, typer.Option(help="postgresql:// URL; SQLite if empty.")] = None,
    auth: Annotated[Auth | None, typer.Option(help="open: any key, no policies.")] = None,
    runtime: Annotated[RuntimeName | None, typer.Option(help="simulated: no containers.")] = None,
    region: Annotated[str | None, typer.Option()] = None,
    account: Annotated[str | None, typer.Option(help="Twelve digits.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it answers.")] = False,
) -> None:
    """Start Longshore; in the foreground until SIGTERM, or in the background."""
    given = {
        "port": port,
        "store": store,
        "auth": auth and str(auth),
        "runtime": runtime and str(runtime),
        "region": region,
        "account": account,
    }
    installation = _installation(data_dir.absolute(), {k: v for k, v in given.items() if v})
    if running(installation.run_dir / "supervisor.pid"):
        _say(f"Longshore is up already: {installation.endpoint_url}")
        return
    if detach:
        _start_detached(installation)
        return
    try:
        supervise(installation)
    except AlreadyRunning as another:
        raise typer.BadParameter(f"Longshore runs already (pid {another})") from another


@application.command()
def down(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    purge: Annotated[bool, typer.Option("--purge", help="Remove all data too.")] = False,
) -> None:
    """Stop everything, leaving nothing in the kernel; data stays, unless purged."""
    data_dir = data_dir.absolute()
    installation = load_installation(data_dir)
    if installation is None:
        _say(f"There is no Longshore in {data_dir}.")
        return
    end_process(installation.run_dir / "supervisor.pid", STOP_SECONDS)
    leave_nothing(installation)
    if purge:
        subprocess.run(["rm", "-rf", "--one-file-system", str(data_dir)], check=True)
    _say("Longshore is down.")


def _installation(data_dir: Path, given: dict[str, object]) -> Installation:
    """The saved installation with what is given now over it; saved again."""
    saved = load_installation(data_dir)
    if saved is None:
        given = {"public_pool": choose_public_pool(data_dir), **given}
    fields = {
        name: getattr(saved, name)
        for name in Installation.__struct_fields__
        if saved is not None and name != "data_dir"
    }
    installation = Installation(data_dir=data_dir, **{**fields, **given})
    installation.save()
    return installation


def _start_detached(installation: Installation) -> None:
    installation.log_dir.mkdir(parents=True, exist_ok=True)
    with (installation.log_dir / "supervisor.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "longshore.main.supervision", installation.data_dir],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while not status.answers(installation):
        if time.monotonic() > deadline:
            _say(f"Longshore does not answer; its logs are in {installation.log_dir}")
            raise typer.Exit(1)
        time.sleep(0.02)
    _say(f"Longshore is up: {installation.endpoint_url}")


def _say(text: str) -> None:
    sys.stdout.write(text + os.linesep)


def main() -> None:
    """Entry point of the `longshore` command."""
    application()
