"""Elastic Load Balancing's API, version 2 (botocore's `elbv2`): Network Load Balancers.

Enters: requests of the query protocol. Leaves: load balancers, listeners and target groups of
`model/elbv2.py` as they are asked for. What forwards connections is the load balancers'
controller's.
"""

from longshore.services.elbv2 import (
    attributes,
    limits,
    listeners,
    load_balancers,
    tags,
    target_groups,
    targets,
)
from longshore.services.elbv2.resources import RESOURCES
from longshore.services.interface import Service

__all__ = ["service"]


def service() -> Service:
    return Service(
        name="elbv2",
        iam_prefix="elasticloadbalancing",
        operations={
            **attributes.OPERATIONS,
            **limits.OPERATIONS,
            **listeners.OPERATIONS,
            **load_balancers.OPERATIONS,
            **tags.OPERATIONS,
            **target_groups.OPERATIONS,
            **targets.OPERATIONS,
        },
        resources=RESOURCES,
    )
