"""Having components: the first source that works is used."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from longshore.components.component import (
    Component,
    ComponentMissing,
    GoModule,
    InstallFailed,
    OnPath,
    Progress,
    Release,
    Source,
    SourceFailed,
    Wheel,
)
from longshore.components.directory import ComponentsDirectory
from longshore.components.pins import COMPONENTS, GO
from longshore.components.probing import find_on_path, version_of
from longshore.components.sources import go_module, provide


class State(msgspec.Struct, frozen=True):
    """What is there of a component; `version` and `path` (of its first program) are empty if not.

    `source` says where from: `system` (the machine's own) or `longshore` (had by an install).
    """

    component: Component
    version: str = ""
    source: str = ""
    path: str = ""

    @property
    def present(self) -> bool:
        return bool(self.path)


def install(
    component: Component, progress: Progress, directory: ComponentsDirectory | None = None
) -> State:
    """Make the component be here; nothing happens where it is at a good version.

    Safe to break off and to run twice at once. Raises `InstallFailed`.
    """
    directory = directory or ComponentsDirectory.from_environment()
    with directory.locked(component.name):
        state = find(component, directory)
        if state.present and all(map(directory.program, component.programs)):
            return state
        failures = []
        for source in component.sources:
            try:
                programs = provide(
                    component, source, directory, progress, lambda: _go(progress, directory)
                )
            except SourceFailed as failure:
                failures.append(f"{source.name}: {failure}")
                continue
            directory.link(programs)
            state = find(component, directory)
            if state.present:
                progress(f"{component.name} {state.version}: from {source.name}")
                return state
            failures.append(f"{source.name}: what it gave does not run at a good version")
        raise InstallFailed(component, failures)


def install_all(
    progress: Progress,
    names: Iterable[str] = (),
    directory: ComponentsDirectory | None = None,
) -> list[State]:
    """Install these components, or all that every installation needs.

    Raises KeyError, `InstallFailed`.
    """
    wanted = [COMPONENTS[name] for name in names] or [c for c in COMPONENTS.values() if c.wanted]
    return [install(component, progress, directory) for component in wanted]


def named(name: str) -> list[Component]:
    """The component of this name, or all named so before a hyphen, with what is part of them.

    Raises KeyError.
    """
    if name in COMPONENTS:
        return [COMPONENTS[name]]
    found = [
        each
        for each in COMPONENTS.values()
        if each.name.startswith(f"{name}-") or each.part_of == name
    ]
    if not found:
        raise KeyError(name)
    return found


def states(directory: ComponentsDirectory | None = None) -> list[State]:
    """What is there of every component."""
    directory = directory or ComponentsDirectory.from_environment()
    return [find(component, directory) for component in COMPONENTS.values()]


def find(component: Component, directory: ComponentsDirectory) -> State:
    """The component as `locate` would give it, or as absent."""
    linked = {name: directory.program(name) for name in component.programs}
    programs = {name: path for name, path in linked.items() if path}
    if len(programs) < len(linked):
        programs = _on_path(component, directory)
    if not programs or not _good(component, programs, directory):
        return State(component)
    first = programs[component.programs[0]]
    own = _home(first, directory) is not None
    version = version_of(component, programs) or _home(first, directory) or ""
    return State(component, version, "longshore" if own else "system", str(first))


def locate(program: str, directory: ComponentsDirectory | None = None) -> Path:
    """The path of a component's program, for whoever runs it. Raises `ComponentMissing`.

    The path stays the same when the component is exchanged. KeyError for what is no program of
    any component.
    """
    directory = directory or ComponentsDirectory.from_environment()
    component = _owner()[program]
    found = directory.program(program) or _on_path(component, directory).get(program)
    if found is None:
        raise ComponentMissing(program, component.name)
    return found


def obtain(program: str, directory: ComponentsDirectory | None = None) -> Path:
    """The same, with every link followed, for whoever can wait: its component is installed where it
    is missing. Raises `InstallFailed`."""
    try:
        return locate(program, directory).resolve()
    except ComponentMissing:
        install(_owner()[program], lambda line: None, directory)
        return locate(program, directory).resolve()


def _owner() -> Mapping[str, Component]:
    return {name: component for component in COMPONENTS.values() for name in component.programs}


def _on_path(component: Component, directory: ComponentsDirectory) -> dict[str, Path]:
    """The system's own programs, if this component may be had so and they are good."""
    if not any(isinstance(source, OnPath) for source in component.sources):
        return {}
    programs = find_on_path(component, directory.bin) or {}
    return programs if programs and _accepted(component, programs) else {}


def _good(
    component: Component, programs: Mapping[str, Path], directory: ComponentsDirectory
) -> bool:
    """Whether all come from one pinned build, or from the system at an accepted version."""
    homes = {_home(path, directory) for path in programs.values()}
    if homes == {None}:
        return component.probe is not None and _accepted(component, programs)
    return len(homes) == 1 and homes <= {_folder(source) for source in component.sources}


def _accepted(component: Component, programs: Mapping[str, Path]) -> bool:
    version = version_of(component, programs)
    return version is not None and component.accepted.accepts(version)


def _home(path: Path, directory: ComponentsDirectory) -> str | None:
    """The version folder that a program lies in, or None outside of the components directory."""
    real, root = path.resolve(), directory.root.resolve()
    return real.relative_to(root).parts[1] if real.is_relative_to(root) else None


def _folder(source: Source) -> str | None:
    """The version folder that a source publishes."""
    match source:
        case GoModule():
            try:
                return go_module.version_name(source)
            except SourceFailed:
                return source.version
        case Release() | Wheel():
            return source.version
        case _:
            return None


def _go(progress: Progress, directory: ComponentsDirectory) -> tuple[Path, str]:
    try:
        state = install(GO, progress, directory)
    except InstallFailed as failure:
        raise SourceFailed(str(failure)) from failure
    return Path(state.path), state.version
