"""AssumeRoleForPodIdentity: credentials of the role that a pod's service account has.

("Learn how EKS Pod Identity grants pods access to AWS services" and "Grant Pods access to AWS
resources based on tags", Amazon EKS User Guide.)
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from longshore.model import eks, iam
from longshore.model.eks_parts import POD_IDENTITY, PodIdentity, part_name, pod_identity_name
from longshore.model.errors import AwsError
from longshore.model.principal import Credential
from longshore.policy.session import role_session, seal
from longshore.policy.trust import trusts_service
from longshore.services.eks_auth.pod_tokens import AUDIENCE, PodToken, verified
from longshore.services.interface import Context, Operation, Resource, ResourcesOf, Response
from longshore.services.roles import role_of_arn

SERVICE = "pods.eks.amazonaws.com"
SECONDS = 6 * 3600.0
"""For so long credentials are good ("EKS Pod Identity session", eks-pod-identity-agent)."""
CLUSTER_LETTERS, POD_LETTERS = 10, 11
"""Of the names in a session's name, which has 64 characters, 36 of them a UUID's."""
NOT_TRUSTED = "Unauthorized Exception! EKS does not have permissions to assume the associated role."


def assume_role_for_pod_identity(context: Context, request: Mapping[str, Any]) -> Response:
    cluster, status = _running(context, request["clusterName"])
    token = verified(request["token"], status, context.now)
    association = _association(context, cluster.name, token)
    credential = _credential(context, cluster, association, token)
    principal = credential.principal
    return {
        "subject": {"namespace": token.namespace, "serviceAccount": token.service_account},
        "audience": AUDIENCE,
        "podIdentityAssociation": {
            "associationArn": association.arn,
            "associationId": association.id,
        },
        "assumedRoleUser": {"arn": principal.arn, "assumeRoleId": principal.user_id},
        "credentials": {
            "accessKeyId": credential.access_key_id,
            "secretAccessKey": credential.secret_access_key,
            "sessionToken": credential.session_token,
            "expiration": credential.expires,
        },
    }


def _running(context: Context, name: str) -> tuple[eks.Cluster, eks.ClusterStatus]:
    place = (context.account, context.region, name)
    cluster = context.tx.get(eks.CLUSTER, *place)
    status = context.tx.get(eks.CLUSTER_STATUS, *place)
    if cluster is None or status is None or status.value.id != cluster.value.id:
        raise AwsError("ResourceNotFoundException", f"No cluster found for name: {name}.", 404)
    return cluster.value, status.value


def _association(context: Context, cluster: str, token: PodToken) -> PodIdentity:
    name = part_name(cluster, pod_identity_name(token.namespace, token.service_account))
    record = context.tx.get(POD_IDENTITY, context.account, context.region, name)
    if record is None:
        raise AwsError(
            "ResourceNotFoundException",
            f"No association found for service account {token.service_account} in namespace "
            f"{token.namespace} of cluster {cluster}.",
            404,
        )
    return record.value


def _credential(
    context: Context, cluster: eks.Cluster, association: PodIdentity, token: PodToken
) -> Credential:
    """Of a new session of the association's role, which trusts EKS for this cluster."""
    role = role_of_arn(context.tx, association.role_arn)
    name = session_name(cluster.name, token.pod, context.ids.uuid())
    tags = () if association.disable_session_tags else session_tags(cluster, token)
    if role is None or not _is_trusting(role, cluster, name, tags):
        raise AwsError("AccessDeniedException", NOT_TRUSTED)
    session = role_session(role, name, context.now)
    session = msgspec.structs.replace(
        session,
        session_tags=_over(session.session_tags, tags),
        transitive_tags=tuple(key for key, _ in tags),
        session_policies=(association.policy,) if association.policy else (),
    )
    sealing = context.tx.get(iam.SEALING_KEY, "", "", "session")
    if sealing is None:
        raise RuntimeError("the sealing key is made at first start")
    return seal(sealing.value.key, session, context.now + SECONDS, context.ids)


def session_name(cluster: str, pod: str, unique: str) -> str:
    """`eks-<cluster>-<pod>-<UUID>`, of which names are cut so that it is none too long."""
    return f"eks-{cluster[:CLUSTER_LETTERS]}-{pod[:POD_LETTERS]}-{unique}"


def session_tags(cluster: eks.Cluster, token: PodToken) -> eks.Tags:
    """The six tags, all of which are transitive."""
    return (
        ("eks-cluster-arn", cluster.arn),
        ("eks-cluster-name", cluster.name),
        ("kubernetes-namespace", token.namespace),
        ("kubernetes-service-account", token.service_account),
        ("kubernetes-pod-name", token.pod),
        ("kubernetes-pod-uid", token.pod_uid),
    )


def _over(before: eks.Tags, tags: eks.Tags) -> eks.Tags:
    """The role's own tags with the session's over them; keys differ by more than case."""
    keys = {key.lower() for key, _ in tags}
    return (*(pair for pair in before if pair[0].lower() not in keys), *tags)


def _is_trusting(role: iam.Role, cluster: eks.Cluster, name: str, tags: eks.Tags) -> bool:
    conditions: dict[str, str | list[str]] = {"sts:RoleSessionName": name}
    conditions |= {f"aws:ResourceTag/{key}": value for key, value in role.tags}
    conditions |= {f"iam:ResourceTag/{key}": value for key, value in role.tags}
    if tags:
        keys = [key for key, _ in tags]
        conditions |= {f"aws:RequestTag/{key}": value for key, value in tags}
        conditions |= {"aws:TagKeys": keys, "sts:TransitiveTagKeys": keys}
    actions = ("sts:AssumeRole", "sts:TagSession") if tags else ("sts:AssumeRole",)
    return all(
        trusts_service(role.trust, SERVICE, role.arn, cluster.arn, action, conditions)
        for action in actions
    )


def _cluster(context: Context, request: Mapping[str, Any]) -> Iterable[Resource]:
    name = request["clusterName"]
    record = context.tx.get(eks.CLUSTER, context.account, context.region, name)
    tags = record.value.tags if record is not None else ()
    return [
        Resource(
            arn=eks.cluster_arn(context.region, context.account, name),
            conditions={f"aws:ResourceTag/{key}": value for key, value in tags},
        )
    ]


OPERATIONS: Mapping[str, Operation] = {"AssumeRoleForPodIdentity": assume_role_for_pod_identity}
RESOURCES: Mapping[str, ResourcesOf] = {"AssumeRoleForPodIdentity": _cluster}
