"""`longshore components`: third-party programs, and how to have them.

`longshore.components` is imported where it is used: `longshore up` should not wait for it.
"""

import sys

import click


@click.group("components")
def application() -> None:
    """Third-party programs that Longshore runs."""


@application.command("list")
def show() -> None:
    """List the components, and what is there of each."""
    from longshore.components import states

    for state in states():
        there = f"{state.version} ({state.source})  {state.path}" if state.present else "missing"
        sys.stdout.write(f"{state.component.name:<15} {there}\n")


@application.command()
@click.argument("names", nargs=-1)
def install(names: tuple[str, ...]) -> None:
    """Install NAMES, or what every installation needs, where missing.

    Takes minutes where something has to be built. `kubernetes` stands for all its versions.
    """
    from longshore.components import InstallFailed, install_all, named

    try:
        wanted = [component.name for name in names for component in named(name)]
    except KeyError as unknown:
        raise click.BadParameter(
            f"There is no component {unknown}: longshore components list"
        ) from None
    try:
        install_all(_tell, wanted)
    except InstallFailed as failure:
        sys.stderr.write(f"{failure}\n")
        raise SystemExit(1) from failure


def _tell(line: str) -> None:
    sys.stderr.write(f"    {line}\n")
    sys.stderr.flush()
