"""The `longshore` command: starting and ending an installation here, the rest in `cli`."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click

from longshore.base.installation import DRAFT_NAME, Installation
from longshore.base.listening import listening_socket
from longshore.cli import components, doctor, environment, sample, status
from longshore.cli.installation import data_dir_option, find_installation
from longshore.main.address_pool import choose_public_pool
from longshore.main.supervision import leave_nothing, supervise
from longshore.main.supervisor import AlreadyRunning, end_process, running

READY_SECONDS = 60.0
STOP_SECONDS = 40.0


@click.group("longshore")
def application() -> None:
    """An AWS container cloud on your own Linux machines."""


for command in (
    environment.show,
    status.show,
    doctor.examine,
    components.application,
    sample.application,
):
    application.add_command(command)


@application.command()
@data_dir_option
@click.option("--port", type=int, help="HTTP; HTTPS is one above it.")
@click.option(
    "--store",
    envvar="LONGSHORE_STORE",
    show_envvar=True,
    help="postgresql:// URL; SQLite if empty.",
)
@click.option("--auth", type=click.Choice(["enforced", "open"]), help="open: any key, no policies.")
@click.option(
    "--throttling/--no-throttling", default=None, help="Hold calls to AWS's rates; off at first."
)
@click.option(
    "--runtime",
    type=click.Choice(["containerd", "simulated"]),
    help="simulated: no containers.",
)
@click.option("--region")
@click.option("--account", help="Twelve digits.")
@click.option("--detach", is_flag=True, help="Return once tasks can run.")
def up(data_dir: Path, detach: bool, **given: str | int | None) -> None:
    """Start Longshore; in the foreground until SIGTERM, or in the background."""
    saved = find_installation(data_dir)
    if saved is not None and running(saved.run_dir / "supervisor.pid"):
        _say(f"Longshore is up already: {saved.endpoint_url}")
        return
    chosen: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    installation = _installation(saved, data_dir.absolute(), chosen)
    if saved is None:
        _require_own_directory(installation.data_dir)
    _require_ports(installation)
    installation.save()
    if detach:
        _start_detached(installation)
        return
    try:
        supervise(installation)
    except AlreadyRunning as another:
        raise click.BadParameter(f"Longshore runs already (pid {another})") from another


@application.command()
@data_dir_option
@click.option("--purge", is_flag=True, help="Remove all data too.")
def down(data_dir: Path, purge: bool) -> None:
    """Stop everything, leaving nothing in the kernel; data stays, unless purged."""
    data_dir = data_dir.absolute()
    installation = find_installation(data_dir)
    if installation is None:
        _say(f"There is no Longshore in {data_dir}.")
        return
    end_process(installation.run_dir / "supervisor.pid", STOP_SECONDS)
    leave_nothing(installation)
    if purge:
        subprocess.run(["rm", "-rf", "--one-file-system", str(data_dir)], check=True)
    _say("Longshore is down.")


def _installation(
    saved: Installation | None, data_dir: Path, given: Mapping[str, object]
) -> Installation:
    """The saved installation with what is given now over it."""
    if saved is None:
        given = {"public_pool": choose_public_pool(data_dir), **given}
    fields = {
        name: getattr(saved, name)
        for name in Installation.__struct_fields__
        if saved is not None and name != "data_dir"
    }
    return Installation(data_dir=data_dir, **{**fields, **given})


def _require_own_directory(data_dir: Path) -> None:
    """End the command where other things lie: the directory is closed to others, and purged."""
    entries = {path.name for path in data_dir.iterdir()} if data_dir.exists() else set()
    if entries - {DRAFT_NAME, "lost+found"}:
        _complain(
            f"There are other things in {data_dir}. Longshore needs a directory of its own, which "
            "nobody else can look into; choose another with --data-dir."
        )
        raise SystemExit(1)


def _require_ports(installation: Installation) -> None:
    """End the command where another program has one of the ports; nothing was made so far."""
    if running(installation.run_dir / "control-plane.pid"):
        return
    for port in (installation.port, installation.tls_port, installation.registry_port):
        try:
            listening_socket(installation.listen, port).close()
        except OSError as error:
            _complain(
                f"Port {port} cannot be had ({error.strerror}). Longshore needs three neighbouring "
                f"ports, {installation.port} to {installation.registry_port}; choose others with "
                "--port."
            )
            raise SystemExit(1) from error


def _start_detached(installation: Installation) -> None:
    installation.log_dir.mkdir(parents=True, exist_ok=True)
    installation.ready_file.unlink(missing_ok=True)
    with (installation.log_dir / "supervisor.log").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "longshore.main.supervision", installation.data_dir],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while not (installation.ready_file.exists() and status.answers(installation)):
        if time.monotonic() > deadline or supervisor.poll() is not None:
            _give_up(installation, supervisor)
        time.sleep(0.02)
    _say(f"Longshore is up: {installation.endpoint_url}")


def _give_up(installation: Installation, supervisor: "subprocess.Popen[bytes]") -> NoReturn:
    """Take down what does not get ready, and say where to look."""
    answering = status.answers(installation)
    supervisor.terminate()
    supervisor.wait(STOP_SECONDS)
    trouble = "its agent does not get ready" if answering else "it does not answer"
    name = "agent" if answering else "control-plane"
    _complain(f"Longshore was taken down again: {trouble}. See {installation.log_dir}/{name}.log")
    raise SystemExit(1)


def _complain(text: str) -> None:
    sys.stderr.write(text + os.linesep)


def _say(text: str) -> None:
    sys.stdout.write(text + os.linesep)


def main() -> None:
    """Entry point of the `longshore` command."""
    application()
