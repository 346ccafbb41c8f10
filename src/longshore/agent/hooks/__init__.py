"""The ordered concerns of a task's surroundings; `interface` says what a hook promises.

Enters: `Work` with the task's record. Leaves: `Work` filled in, and kernel objects, files, images.
"""

from longshore.agent.hooks.admission import Admission
from longshore.agent.hooks.endpoints import Endpoints
from longshore.agent.hooks.images import Images
from longshore.agent.hooks.interface import Hook
from longshore.agent.hooks.logging import Logging
from longshore.agent.hooks.names import Names
from longshore.agent.hooks.network import NetworkPlace
from longshore.agent.hooks.sandbox import Sandbox
from longshore.agent.hooks.secrets import Secrets
from longshore.agent.hooks.volumes import Volumes

__all__ = ["hooks"]


def hooks() -> tuple[tuple[Hook, ...], ...]:
    """Every hook, in order; those of one stage side by side.

    The ENI comes before the sandbox: gVisor takes over the addresses that its namespace has when it
    starts. Log drivers may want secrets.
    """
    return (
        (Admission(),),
        (NetworkPlace(),),
        (Endpoints(), Volumes(), Names()),
        (Sandbox(), Secrets(), Images()),
        (Logging(),),
    )
