"""Third-party programs at pinned versions: what they are, how to have them, where they lie.

Enters: the pin table (`pins.py`), the Go modules in the repository's components/, the machine.
Leaves: `install` (makes a component be there), `locate` (the path of its program, for whoever runs
it; `obtain` for who can wait), `states` (what is there), and `doctor` (what this machine lacks).
Knows nothing of AWS.
"""

from longshore.components.component import Component, ComponentMissing, InstallFailed, Progress
from longshore.components.directory import ComponentsDirectory
from longshore.components.installer import (
    State,
    install,
    install_all,
    locate,
    named,
    obtain,
    states,
)
from longshore.components.pins import COMPONENTS, component

__all__ = [
    "COMPONENTS",
    "Component",
    "ComponentMissing",
    "ComponentsDirectory",
    "InstallFailed",
    "Progress",
    "State",
    "component",
    "install",
    "install_all",
    "locate",
    "named",
    "obtain",
    "states",
]
