"""Amazon EC2 Auto Scaling's API (botocore's `autoscaling`): groups, their members, activities,
tags, instance refreshes, lifecycle hooks.

Enters: requests of the query protocol. Leaves: groups of `model/auto_scaling.py` as they are asked
for, what is asked of their members, activities and refreshes that begin. Instances are launched and
ended by the groups' controller.
"""

from longshore.services.autoscaling import (
    activities,
    capacity,
    describing,
    groups,
    health,
    hooks,
    kinds,
    membership,
    processes,
    refresh_view,
    refreshes,
    tags,
)
from longshore.services.autoscaling.resources import RESOURCES
from longshore.services.interface import Service

__all__ = ["service"]


def service() -> Service:
    return Service(
        name="autoscaling",
        iam_prefix="autoscaling",
        operations={
            **activities.OPERATIONS,
            **capacity.OPERATIONS,
            **describing.OPERATIONS,
            **groups.OPERATIONS,
            **health.OPERATIONS,
            **hooks.OPERATIONS,
            **kinds.OPERATIONS,
            **membership.OPERATIONS,
            **processes.OPERATIONS,
            **refresh_view.OPERATIONS,
            **refreshes.OPERATIONS,
            **tags.OPERATIONS,
        },
        resources=RESOURCES,
    )
