"""Load balancers as records: made, found, changed and removed, for the API and for EKS.

Enters: a transaction and what is wanted. Leaves: records of `model.elbv2`. What they ask for is
done by `controllers.load_balancer`.
"""

from longshore.balancing.making import Place, new_listener, new_load_balancer, new_target_group
from longshore.balancing.removal import (
    remove_listener,
    remove_load_balancer,
    remove_target_group,
)
from longshore.balancing.targets import deregister, register
from longshore.balancing.use import listeners_of, users_of, zone_of_target

__all__ = [
    "Place",
    "deregister",
    "listeners_of",
    "new_listener",
    "new_load_balancer",
    "new_target_group",
    "register",
    "remove_listener",
    "remove_load_balancer",
    "remove_target_group",
    "users_of",
    "zone_of_target",
]
