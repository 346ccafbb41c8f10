"""Associations of EKS Pod Identity: which role the pods of a service account have.

("Assign an IAM role to a Kubernetes service account", Amazon EKS User Guide.) Neither namespace nor
service account need be there. Whether the role trusts EKS is asked when pods want credentials.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from longshore.model import eks
from longshore.model.eks_parts import (
    PodIdentity,
    pod_identity_arn,
)
from longshore.model.errors import AwsError, not_built
from longshore.policy.document import read_document
from longshore.policy.session import LONGEST_POLICY
from longshore.services.eks.failures import (
    in_use,
    invalid_parameter,
    invalid_request,
    not_found,
)
from longshore.services.eks.pages import page
from longshore.services.eks.pod_identity_records import (
    associations_of,
    delete_association,
    put_association,
)
from longshore.services.eks.records import cluster_named, digest
from longshore.services.eks.requests import made_by
from longshore.services.eks.roles import pass_role
from longshore.services.eks.tags import authorize_tags, checked_tags
from longshore.services.interface import Context, Operation, Response
from longshore.services.roles import role_of_arn

if TYPE_CHECKING:
    from types_boto3_eks.type_defs import (
        CreatePodIdentityAssociationRequestTypeDef,
        DeletePodIdentityAssociationRequestTypeDef,
        DescribePodIdentityAssociationRequestTypeDef,
        ListPodIdentityAssociationsRequestTypeDef,
        UpdatePodIdentityAssociationRequestTypeDef,
    )

PODS_SERVICE = "pods.eks.amazonaws.com"
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
SERVICE_ACCOUNT = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LONGEST_SERVICE_ACCOUNT = 253
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 17


def create_pod_identity_association(
    context: Context, request: "CreatePodIdentityAssociationRequestTypeDef"
) -> Response:
    _check_built(request)
    cluster = _changeable_cluster(context, request["clusterName"])
    made = _made_before(context, request)
    if made is None:
        made = _association(context, cluster, request)
        put_association(context, made)
    return {"association": _shape(made)}


def _check_built(request: Any) -> None:
    if request.get("targetRoleArn"):
        raise not_built("EKS Pod Identity with target roles")


def _changeable_cluster(context: Context, name: str) -> eks.Cluster:
    cluster = cluster_named(context, name)
    if cluster.deleted_at:
        raise invalid_request(f"Cluster '{name}' is not in ACTIVE status", name)
    return cluster


def _made_before(
    context: Context, request: "CreatePodIdentityAssociationRequestTypeDef"
) -> PodIdentity | None:
    """The association that the same call made; an error where the service account has another."""
    cluster = request["clusterName"]
    there = associations_of(context, cluster)
    made = made_by(there, request, cluster)
    if made is None:
        check_no_other(there, request["namespace"], request["serviceAccount"], cluster)
    return made


def check_no_other(
    there: Iterable[PodIdentity], namespace: str, service_account: str, cluster: str
) -> None:
    """ResourceInUseException where the service account has an association already."""
    for each in there:
        if (each.namespace, each.service_account) == (namespace, service_account):
            raise in_use(f"Association already exists: {each.id}", cluster)


def _association(
    context: Context,
    cluster: eks.Cluster,
    request: "CreatePodIdentityAssociationRequestTypeDef",
) -> PodIdentity:
    namespace, account = request["namespace"], request["serviceAccount"]
    _check_subject(namespace, account, cluster.name)
    made = new_association(context, cluster.name, namespace, account, request["roleArn"])
    authorize_tags(context, made.arn, request)
    return msgspec.structs.replace(
        made,
        **_session(made, request),
        client_token=request.get("clientRequestToken", ""),
        request=digest(request),
        tags=checked_tags((), request.get("tags", {}), "InvalidParameterException"),
    )


def _session(association: PodIdentity, request: Mapping[str, Any]) -> dict[str, Any]:
    """What sessions of the association's role have, with what the request changes of it.

    InvalidParameterException where a policy is to narrow sessions that have EKS's tags: both take
    of the same room ("CreatePodIdentityAssociation", Amazon EKS API Reference).
    """
    disabled = request.get("disableSessionTags", association.disable_session_tags)
    policy = request.get("policy", association.policy)
    if policy:
        _check_policy(policy, association.cluster)
        if not disabled:
            message = "disableSessionTags must be set to true when a policy is specified."
            raise invalid_parameter(message, association.cluster)
    return {"disable_session_tags": disabled, "policy": policy}


def _check_policy(policy: str, cluster: str) -> None:
    if len(policy) > LONGEST_POLICY:
        raise invalid_parameter(f"The policy is longer than {LONGEST_POLICY} characters.", cluster)
    try:
        read_document(policy)
    except AwsError as error:
        raise invalid_parameter(f"The policy is invalid: {error.message}", cluster) from None


def new_association(
    context: Context, cluster: str, namespace: str, service_account: str, role_arn: str
) -> PodIdentity:
    """For a service account that has none; the role must be one that the caller may pass."""
    part_id = f"a-{_letters(int(context.ids.hex(24), 16))}"
    return PodIdentity(
        cluster=cluster,
        namespace=namespace,
        service_account=service_account,
        arn=pod_identity_arn(context.region, context.account, cluster, part_id),
        id=part_id,
        role_arn=checked_pod_role(context, role_arn, cluster),
        created_at=context.now,
        modified_at=context.now,
    )


def _check_subject(namespace: str, service_account: str, cluster: str) -> None:
    if not NAMESPACE.fullmatch(namespace):
        raise invalid_parameter(f"The namespace {namespace} is invalid", cluster)
    is_long = len(service_account) > LONGEST_SERVICE_ACCOUNT
    if is_long or not SERVICE_ACCOUNT.fullmatch(service_account):
        raise invalid_parameter(f"The service account {service_account} is invalid", cluster)


def checked_pod_role(context: Context, role_arn: str, cluster: str) -> str:
    """A role of the account that there is and that the caller may pass."""
    pass_role(context, role_arn, PODS_SERVICE)
    if role_of_arn(context.tx, role_arn) is None:
        raise invalid_parameter("Role provided in the request does not exist.", cluster)
    return role_arn


def _letters(number: int) -> str:
    """The last digits of the number to the base 36."""
    found = ""
    for _ in range(ID_LENGTH):
        number, digit = divmod(number, len(DIGITS))
        found += DIGITS[digit]
    return found


def describe_pod_identity_association(
    context: Context, request: "DescribePodIdentityAssociationRequestTypeDef"
) -> Response:
    cluster_named(context, request["clusterName"])
    return {"association": _shape(_named(context, request))}


def list_pod_identity_associations(
    context: Context, request: "ListPodIdentityAssociationsRequestTypeDef"
) -> Response:
    cluster = cluster_named(context, request["clusterName"])
    namespace, account = request.get("namespace"), request.get("serviceAccount")
    found = [
        each
        for each in associations_of(context, cluster.name)
        if namespace in {None, each.namespace} and account in {None, each.service_account}
    ]
    given, following = page(sorted(found, key=_id), request, _id)
    return {"associations": [_summary(each) for each in given], **following}


def _id(association: PodIdentity) -> str:
    return association.id


def update_pod_identity_association(
    context: Context, request: "UpdatePodIdentityAssociationRequestTypeDef"
) -> Response:
    """What is not given stays; the same call changes nothing the second time."""
    _check_built(request)
    cluster = _changeable_cluster(context, request["clusterName"])
    association = _own(_named(context, request))
    role_arn = association.role_arn
    if request.get("roleArn"):
        role_arn = checked_pod_role(context, request["roleArn"], cluster.name)
    changed = msgspec.structs.replace(
        association,
        role_arn=role_arn,
        **_session(association, request),
        modified_at=context.now,
    )
    put_association(context, changed)
    return {"association": _shape(changed)}


def delete_pod_identity_association(
    context: Context, request: "DeletePodIdentityAssociationRequestTypeDef"
) -> Response:
    cluster_named(context, request["clusterName"])
    association = _own(_named(context, request))
    delete_association(context, association)
    return {"association": _shape(association)}


def _own(association: PodIdentity) -> PodIdentity:
    """InvalidRequestException where it is an add-on's, which alone changes it."""
    if association.owner_arn:
        raise invalid_request(
            f"Association {association.id} is owned by the add-on {association.owner_arn}",
            association.cluster,
        )
    return association


def _named(context: Context, request: Any) -> PodIdentity:
    cluster, part_id = request["clusterName"], request["associationId"]
    for each in associations_of(context, cluster):
        if each.id == part_id:
            return each
    raise not_found(f"The specified association {part_id} could not be found.", cluster)


def _summary(association: PodIdentity) -> dict[str, Any]:
    return {
        "clusterName": association.cluster,
        "namespace": association.namespace,
        "serviceAccount": association.service_account,
        "associationArn": association.arn,
        "associationId": association.id,
        **({"ownerArn": association.owner_arn} if association.owner_arn else {}),
    }


def _shape(association: PodIdentity) -> dict[str, Any]:
    return {
        **_summary(association),
        "roleArn": association.role_arn,
        "tags": dict(association.tags),
        "createdAt": association.created_at,
        "modifiedAt": association.modified_at,
        "disableSessionTags": association.disable_session_tags,
        **({"policy": association.policy} if association.policy else {}),
    }


OPERATIONS: Mapping[str, Operation] = {
    "CreatePodIdentityAssociation": create_pod_identity_association,
    "DeletePodIdentityAssociation": delete_pod_identity_association,
    "DescribePodIdentityAssociation": describe_pod_identity_association,
    "ListPodIdentityAssociations": list_pod_identity_associations,
    "UpdatePodIdentityAssociation": update_pod_identity_association,
}
