"""What the machine has already."""

from pathlib import Path

from longshore.components.component import Component, SourceFailed
from longshore.components.directory import ComponentsDirectory
from longshore.components.probing import find_on_path, version_of


def provide(component: Component, directory: ComponentsDirectory) -> dict[str, Path]:
    """The programs as the PATH has them. Raises `SourceFailed` for none or another version."""
    programs = find_on_path(component, directory.bin)
    if programs is None:
        raise SourceFailed(f"the PATH has no {' and '.join(component.programs)}")
    version = version_of(component, programs)
    if version is None or not component.accepted.accepts(version):
        raise SourceFailed(
            f"the PATH has version {version or 'unknown'}; {component.accepted} is needed"
        )
    return programs
