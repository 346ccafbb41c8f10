"""Associations of EKS Pod Identity in the store."""

from longshore.model.eks_parts import POD_IDENTITY, PodIdentity, part_name, pod_identity_name
from longshore.services.interface import Context


def associations_of(context: Context, cluster: str, owner: str = "") -> list[PodIdentity]:
    """The cluster's associations of EKS Pod Identity: all, or those of one add-on by its ARN."""
    place = (context.account, context.region)
    records = context.tx.scan(POD_IDENTITY, *place, prefix=part_name(cluster, ""))
    return [record.value for record in records if owner in {"", record.value.owner_arn}]


def put_association(context: Context, association: PodIdentity) -> None:
    place = (context.account, context.region, _record_name(association))
    context.tx.put(POD_IDENTITY, *place, association)


def delete_association(context: Context, association: PodIdentity) -> None:
    place = (context.account, context.region, _record_name(association))
    context.tx.delete(POD_IDENTITY, *place)


def _record_name(association: PodIdentity) -> str:
    name = pod_identity_name(association.namespace, association.service_account)
    return part_name(association.cluster, name)
