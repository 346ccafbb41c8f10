"""DescribeAccountLimits ("Quotas for your Network Load Balancers")."""

from collections.abc import Mapping
from typing import Any

from longshore.services.elbv2.pages import page
from longshore.services.interface import Context, Operation, Response

LIMITS: Mapping[str, int] = {
    "listeners-per-network-load-balancer": 50,
    "network-load-balancers": 50,
    "target-groups": 3000,
    "targets-per-availability-zone-per-network-load-balancer": 500,
    "targets-per-network-load-balancer": 3000,
}


def describe_account_limits(context: Context, request: Mapping[str, Any]) -> Response:
    some, marker = page(list(LIMITS), request, lambda name: name)
    limits = [{"Name": name, "Max": str(LIMITS[name])} for name in some]
    return {"Limits": limits, **marker}


OPERATIONS: Mapping[str, Operation] = {"DescribeAccountLimits": describe_account_limits}
