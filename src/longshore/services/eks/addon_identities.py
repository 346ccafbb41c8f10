"""The roles that add-ons' pods have by EKS Pod Identity, asked for with the add-on itself.

("IAM roles for Amazon EKS add-ons", "Remove Pod Identity associations from an Amazon EKS add-on",
Amazon EKS User Guide.)
"""

from typing import Any

import msgspec

from longshore.addons import ADDONS
from longshore.model import eks
from longshore.model.eks_parts import Addon, PodIdentity
from longshore.services.eks.addon_checks import NAMESPACE
from longshore.services.eks.failures import invalid_parameter
from longshore.services.eks.pod_identities import (
    check_no_other,
    checked_pod_role,
    new_association,
)
from longshore.services.eks.pod_identity_records import (
    associations_of,
    delete_association,
    put_association,
)
from longshore.services.interface import Context

ACTION = "eks:CreatePodIdentityAssociation"


def have_associations(context: Context, cluster: eks.Cluster, addon: Addon, request: Any) -> None:
    """Have the add-on's associations be those of the request, where it says anything of them."""
    given = request.get("podIdentityAssociations")
    if given is None:
        return
    roles = {each["serviceAccount"]: each["roleArn"] for each in given}
    for account in roles:
        _check_account(addon, account)
    if roles:
        context.authorize(ACTION, cluster.arn)
    there = associations_of(context, addon.cluster)
    owned = {each.service_account: each for each in there if each.owner_arn == addon.arn}
    others = [each for each in there if each.owner_arn != addon.arn]
    for account in owned.keys() - roles.keys():
        delete_association(context, owned[account])
    for account, role in roles.items():
        check_no_other(others, NAMESPACE, account, addon.cluster)
        put_association(context, _association(context, addon, account, role, owned.get(account)))


def _check_account(addon: Addon, account: str) -> None:
    """Pods of the add-on that call AWS's APIs must be of this service account."""
    definition = ADDONS[addon.name]
    if not definition.policies or account != definition.service_account:
        raise invalid_parameter(
            f"The service account {account} of podIdentityAssociations is not one of the add-on"
            f" {addon.name} that needs a role",
            addon.cluster,
        )


def _association(
    context: Context, addon: Addon, account: str, role: str, before: PodIdentity | None
) -> PodIdentity:
    if before is not None:
        checked = checked_pod_role(context, role, addon.cluster)
        return msgspec.structs.replace(before, role_arn=checked, modified_at=context.now)
    made = new_association(context, addon.cluster, NAMESPACE, account, role)
    return msgspec.structs.replace(made, owner_arn=addon.arn)
