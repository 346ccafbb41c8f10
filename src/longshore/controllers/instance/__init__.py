"""EC2 instances: each that is to run is a privileged task of Longshore's own account.

Enters: `Instance` (what is wanted), the tasks of the system account. Leaves: `InstanceStatus`, one
task for each start of an instance (docs/decisions/0106), its disk below the data directory; and
nothing of all that, nor its interface, once it is terminated and forgotten.
"""

from longshore.controllers.instance.controller import InstanceController
from longshore.controllers.instance.machine import Machines

__all__ = ["InstanceController", "Machines"]
