"""Nodes: which instance the session of a node's role belongs to, and so its name in the cluster.

An instance's credentials are sessions of its profile's role, named by the instance's id. The name
of the node is the instance's private DNS name ("Create access entries", EC2_LINUX).
"""

import re

from longshore.authenticator.tokens import Refused
from longshore.authenticator.users import canonical_arn, unique_id
from longshore.model import eks, iam
from longshore.model.arn import parse_arn
from longshore.model.eks_parts import FARGATE_PROFILE, NODEGROUP, part_name
from longshore.model.instances import INSTANCE, INSTANCE_STATUS, Instance, state_of
from longshore.model.principal import Principal
from longshore.store.interface import Reader, Record
from longshore.vpc.zones import private_dns_name

EC2_LINUX, FARGATE_LINUX = "EC2_LINUX", "FARGATE_LINUX"
USERNAME = "system:node:{{EC2PrivateDNSName}}"
GROUPS = ("system:bootstrappers", "system:nodes")
"""Of nodes whose role the ConfigMap `aws-auth` lets in, as EKS writes it for a node group."""
FARGATE_USERNAME = "system:node:{{SessionName}}"
FARGATE_GROUPS = (*GROUPS, "system:node-proxier")
"""The same of nodes of Fargate's."""
FARGATE_NODES = "fargate-"
"""What names of such nodes begin with, and so their sessions."""
_INSTANCE_ID = re.compile("i-[0-9a-f]{8,17}")


def instance_name(reader: Reader, cluster: Record[eks.Cluster], principal: Principal) -> str:
    """The private DNS name of the instance that the session is of; raises `Refused`."""
    account, region = cluster.key.account, cluster.key.region
    if not _INSTANCE_ID.fullmatch(principal.session_name):
        raise Refused("the session is not an instance's", principal.arn)
    record = reader.get(INSTANCE, account, region, principal.session_name)
    status = reader.get(INSTANCE_STATUS, account, region, principal.session_name)
    if record is None:
        raise Refused("there is no such instance", principal.arn)
    instance = record.value
    if state_of(instance, status.value if status is not None else None) == "terminated":
        raise Refused("the instance is terminated", principal.arn)
    if _role_arn(reader, account, instance) != principal.role_arn:
        raise Refused("the role is not that of the instance's profile", principal.arn)
    return private_dns_name(instance.private_address, region)


def _role_arn(reader: Reader, account: str, instance: Instance) -> str:
    """The role of the instance's profile; empty where it has none any more."""
    arn = parse_arn(instance.profile_arn)
    name = arn.resource_id.rpartition("/")[2].lower() if arn is not None else ""
    profile = reader.get(iam.INSTANCE_PROFILE, account, "", name)
    if profile is None or profile.value.arn != instance.profile_arn or not profile.value.roles:
        return ""
    role = reader.get(iam.ROLE, account, "", profile.value.roles[0].lower())
    return role.value.arn if role is not None else ""


def group_entry(
    reader: Reader, cluster: Record[eks.Cluster], principal: Principal
) -> eks.AccessEntry | None:
    """What EKS writes into `aws-auth` for the role of a managed node group or of a Fargate profile,
    as an access entry.

    Of clusters that go by access entries alone nobody is let in so.
    """
    if cluster.value.authentication_mode == "API":
        return None
    arn, session = canonical_arn(principal), principal.session_name
    scope = (cluster.key.account, cluster.key.region)
    prefix = part_name(cluster.value.name, "")
    if _INSTANCE_ID.fullmatch(session):
        groups = reader.scan(NODEGROUP, *scope, prefix=prefix)
        if any(group.value.node_role == arn for group in groups):
            return _entry(cluster, principal, EC2_LINUX, USERNAME, GROUPS)
    elif session.startswith(FARGATE_NODES):
        profiles = reader.scan(FARGATE_PROFILE, *scope, prefix=prefix)
        if any(profile.value.role_arn == arn for profile in profiles):
            return _entry(cluster, principal, FARGATE_LINUX, FARGATE_USERNAME, FARGATE_GROUPS)
    return None


def _entry(
    cluster: Record[eks.Cluster],
    principal: Principal,
    kind: str,
    username: str,
    groups: tuple[str, ...],
) -> eks.AccessEntry:
    return eks.AccessEntry(
        cluster=cluster.value.name,
        principal_arn=canonical_arn(principal),
        principal_id=unique_id(principal),
        arn="",
        type=kind,
        username=username,
        groups=groups,
        created_at=0.0,
        modified_at=0.0,
    )
