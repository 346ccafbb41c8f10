"""Who an IAM principal is in a cluster ("Grant IAM users access to Kubernetes", EKS user guide).

Access entries say so in the modes API and API_AND_CONFIG_MAP. In the mode CONFIG_MAP only who made
the cluster is known, as its administrator: the ConfigMap `aws-auth`, which has all others there, is
not read yet, so that whom it alone names is nobody.
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
_TEMPLATE = re.compile(r"\{\{(SessionName|SessionNameRaw|EC2PrivateDNSName)\}\}")


def canonical_arn(principal: Principal) -> str:
    """The ARN that access entries name it by: the user's own, and the role's for its sessions."""
    return principal.role_arn or principal.arn


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
    cluster: eks.Cluster, entry: eks.AccessEntry | None, principal: Principal
) -> UserInfo:
    """Name, groups and extras of the principal; raises `Refused`.

    An entry is not for a user or role made later under the same ARN ("Create access entries").
    """
    arn = canonical_arn(principal)
    if principal.kind not in _KINDS:
        raise Refused("only users and roles have access entries", principal.arn)
    if entry is not None:
        if entry.principal_id != unique_id(principal):
            raise Refused("the access entry is of an earlier principal", principal.arn)
        return _user(principal, _filled(entry.username, principal), entry.groups)
    if cluster.authentication_mode != CONFIG_MAP:
        raise Refused("the principal has no access entry", principal.arn)
    if not cluster.bootstrap_admin or cluster.created_by != arn:
        raise Refused("the principal is not who made the cluster", principal.arn)
    return _user(principal, "kubernetes-admin", (ADMINISTRATORS,))


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


def _filled(username: str, principal: Principal) -> str:
    """The name with the session's in it.

    Instances' names (`{{EC2PrivateDNSName}}`) are left to later: who is to have one is refused.
    """
    values = {
        "SessionName": principal.session_name.replace("@", "-"),
        "SessionNameRaw": principal.session_name,
    }

    def value(template: re.Match[str]) -> str:
        if template[1] not in values:
            raise Refused("an instance's name is not known yet", principal.arn)
        return values[template[1]]

    return _TEMPLATE.sub(value, username)
