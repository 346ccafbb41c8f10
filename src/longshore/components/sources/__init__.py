"""One file for each way to have a component: each gives the paths of its programs, or says why not.

Enters: a component, one of its sources, the components directory, who is told of the progress.
Leaves: program → path, published in the directory unless the system itself owns it.
"""

from collections.abc import Mapping
from pathlib import Path

from longshore.components.component import (
    Component,
    Distribution,
    GoModule,
    OnPath,
    Progress,
    Release,
    Source,
    Wheel,
)
from longshore.components.directory import ComponentsDirectory
from longshore.components.sources import distribution, go_module, on_path, release, wheel


def provide(
    component: Component,
    source: Source,
    directory: ComponentsDirectory,
    progress: Progress,
    toolchain: go_module.Toolchain,
) -> Mapping[str, Path]:
    """Have the component from this source. Raises `SourceFailed`."""
    match source:
        case OnPath():
            return on_path.provide(component, directory)
        case Distribution():
            return distribution.provide(component, source, directory, progress)
        case Release():
            return release.provide(component, source, directory, progress)
        case Wheel():
            return wheel.provide(component, source, directory, progress)
        case GoModule():
            return go_module.provide(component, source, directory, progress, toolchain)
