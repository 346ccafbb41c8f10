"""Changes of a cluster's subnets and security groups.

("Update cluster subnets and security groups", `VpcConfigRequest`, Amazon EKS User Guide and API
Reference: what is not given stays; the subnets are of the same VPC and the same AZs as before.)
"""

from collections.abc import Collection
from typing import Any

import msgspec

from longshore.model import eks
from longshore.model.ec2 import SUBNET
from longshore.services.eks.changes import Change
from longshore.services.eks.failures import invalid_parameter
from longshore.services.eks.network import checked_groups, checked_subnets
from longshore.services.interface import Context


def vpc_change(context: Context, cluster: eks.Cluster, request: Any) -> Change:
    asked = request["resourcesVpcConfig"]
    subnets, groups, params = cluster.subnets, cluster.security_groups, []
    if asked.get("subnetIds") is not None:
        subnets = _subnets(context, cluster, asked["subnetIds"])
        params.append(("Subnets", _json(subnets)))
    if asked.get("securityGroupIds") is not None:
        groups = checked_groups(context, asked["securityGroupIds"], cluster.vpc_id, cluster.name)
        params.append(("SecurityGroups", _json(groups)))
    if (set(subnets), set(groups)) == (set(cluster.subnets), set(cluster.security_groups)):
        raise invalid_parameter(
            "Cluster is already at the desired configuration with subnetIds:"
            f" [{', '.join(subnets)}], securityGroupIds: [{', '.join(groups)}]",
            cluster.name,
        )
    changed = msgspec.structs.replace(cluster, subnets=subnets, security_groups=groups)
    return Change(changed, tuple(params))


def _subnets(context: Context, cluster: eks.Cluster, asked: Collection[str]) -> tuple[str, ...]:
    found = checked_subnets(context, tuple(asked), cluster.name)
    if found[0].vpc_id != cluster.vpc_id:
        raise invalid_parameter(
            f"Provided subnets are not in the VPC {cluster.vpc_id} of the cluster", cluster.name
        )
    before, wanted = _zones(context, cluster.subnets), {subnet.zone for subnet in found}
    if before and wanted != before:
        raise invalid_parameter(
            f"Provided subnets belong to the AZs '{','.join(sorted(wanted))}'. But they should"
            f" belong to the exact set of AZs '{','.join(sorted(before))}' in which subnets were"
            " provided during cluster creation.",
            cluster.name,
        )
    return tuple(subnet.id for subnet in found)


def _zones(context: Context, subnets: Collection[str]) -> set[str]:
    """The AZs of those that are there still."""
    found = (context.tx.get(SUBNET, context.account, context.region, each) for each in subnets)
    return {record.value.zone for record in found if record is not None}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
