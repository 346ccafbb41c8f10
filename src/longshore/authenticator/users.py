"""Who an IAM principal is in a cluster ("Grant IAM users access to Kubernetes", EKS user guide).

Access entries say so in the modes API and API_AND_CONFIG_MAP; of whom they do not name, the
ConfigMap `aws-auth` does in the modes API_AND_CONFIG_MAP and CONFIG_MAP (`config_map`). Who made a
cluster of the mode CONFIG_MAP is its administrator, and nodes of managed node groups are let in
without being named (`nodes`).
"""

import re

from longshore.authenticator.reviews import Extra, UserInfo
from longshore.authenticator.tokens import Refused
from longshore.model import eks
from longshore.model.arn import parse_arn
from longshore.model.principal import Principal
from longshore.store.interface import Reader, Record

CONFIG_MAP = "CONFIG_MAP"
CANONICAL_ARN = "canonicalArn"
ADMINISTRATORS = "system:masters"
"""The group whose members the API server lets do everything."""
ANYBODY = UserInfo(username="longshore:open", uid="longshore:open", groups=(ADMINISTRATORS,))
"""Whoever has a token, where any key is taken (`auth=open`)."""
_KINDS = frozenset({"user", "assumed-role"})
"""Principals that access entries can be of; root and federated users are none."""
INSTANCE_NAME = "{{EC2PrivateDNSName}}"
_TEMPLATE = re.compile(r"\{\{(AccountID|SessionName|SessionNameRaw|EC2PrivateDNSName)\}\}")


def canonical_arn(principal: Principal) -> str:
    """The ARN that access entries name it by: the user's own, and the role's for its sessions."""
    return principal.role_arn or principal.arn


def plain_arn(principal: Principal) -> str:
    """The ARN that `aws-auth` names it by: a role's has no path there."""
    arn = canonical_arn(principal)
    if not principal.role_arn:
        return arn
    before, _, resource = arn.partition(":role/")
    return f"{before}:role/{resource.rpartition('/')[2]}"


def unique_id(principal: Principal) -> str:
    """`AIDA...` or, for every session of a role, `AROA...`."""
    return principal.user_id.partition(":")[0]


def uid(account: str, unique_id: str) -> str:
    """What Kubernetes has as the user's UID; other authenticators give none that begins so."""
    return f"aws-iam-authenticator:{account}:{unique_id}"


def access_entry(
    reader: Reader, cluster: Record[eks.Cluster], principal_arn: str
) -> eks.AccessEntry | None:
    """The principal's access entry, where the cluster goes by them."""
    if cluster.value.authentication_mode == CONFIG_MAP:
        return None
    account, region = cluster.key.account, cluster.key.region
    name = eks.entry_name(cluster.value.name, principal_arn)
    record = reader.get(eks.ACCESS_ENTRY, account, region, name)
    return record.value if record is not None else None


def entry_account(entry: eks.AccessEntry) -> str:
    """The account of the entry's principal, which need not be the cluster's."""
    arn = parse_arn(entry.principal_arn)
    return arn.account if arn is not None else ""


def kubernetes_user(
    cluster: eks.Cluster,
    entry: eks.AccessEntry | None,
    principal: Principal,
    instance_name: str = "",
) -> UserInfo:
    """Name, groups and extras of the principal; raises `Refused`.

    An entry is not for a user or role made later under the same ARN ("Create access entries").
    `instance_name` is that of the instance whose session the principal is, where it is one's.
    """
    if principal.kind not in _KINDS:
        raise Refused("only users and roles have access entries", principal.arn)
    if entry is not None:
        if entry.principal_id != unique_id(principal):
            raise Refused("the access entry is of an earlier principal", principal.arn)
        username = _filled(entry.username, principal, instance_name)
        return _user(principal, username, entry.groups)
    if cluster.authentication_mode != CONFIG_MAP:
        raise Refused("the principal has no access entry", principal.arn)
    if not is_creator(cluster, principal):
        raise Refused("the principal is not who made the cluster", principal.arn)
    return _user(principal, "kubernetes-admin", (ADMINISTRATORS,))


def is_creator(cluster: eks.Cluster, principal: Principal) -> bool:
    """Whether somebody is the administrator of a cluster that has no access entries to say so."""
    return (
        cluster.authentication_mode == CONFIG_MAP
        and cluster.bootstrap_admin
        and cluster.created_by == canonical_arn(principal)
    )


def mapped_user(
    principal: Principal, username: str, groups: tuple[str, ...], instance_name: str
) -> UserInfo:
    """Who the principal is where `aws-auth` names it so; raises `Refused`."""
    if principal.kind not in _KINDS:
        raise Refused("only users and roles are mapped", principal.arn)
    return _user(principal, _filled(username, principal, instance_name), groups)


def _user(principal: Principal, username: str, groups: tuple[str, ...]) -> UserInfo:
    identifier = unique_id(principal)
    return UserInfo(
        username=username,
        uid=uid(principal.account, identifier),
        groups=groups,
        extra=_extra(principal, identifier),
    )


def _extra(principal: Principal, identifier: str) -> Extra:
    return {
        "accessKeyId": (principal.access_key_id,),
        "arn": (principal.arn,),
        CANONICAL_ARN: (canonical_arn(principal),),
        "principalId": (identifier,),
        "sessionName": (principal.session_name,),
        "sigs.k8s.io/aws-iam-authenticator/principalId": (identifier,),
    }


def _filled(username: str, principal: Principal, instance_name: str) -> str:
    """The name with the session's, or its instance's, in it; raises `Refused`."""
    values = {
        "AccountID": principal.account,
        "SessionName": principal.session_name.replace("@", "-"),
        "SessionNameRaw": principal.session_name,
        "EC2PrivateDNSName": instance_name,
    }

    def value(template: re.Match[str]) -> str:
        if template[1] == "EC2PrivateDNSName" and not instance_name:
            raise Refused("the principal is no instance", principal.arn)
        return values[template[1]]

    return _TEMPLATE.sub(value, username)
