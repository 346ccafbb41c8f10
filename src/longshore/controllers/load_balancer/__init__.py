"""Network Load Balancers: HAProxy at an interface in each of their subnets (decision 0110).

Enters: `LoadBalancer` with its listeners, target groups and targets (what is asked for), the tasks
of the system account, what each HAProxy says of itself. Leaves: `LoadBalancerStatus`,
`TargetHealth`, the interfaces, one task for each, their configuration below the data directory, the
load balancer's name in /etc/hosts and in VPCs; and nothing of all that once it is deleted.
"""

from longshore.controllers.load_balancer.controller import LoadBalancerController

__all__ = ["LoadBalancerController"]
