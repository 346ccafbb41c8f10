"""Service-linked roles that services have made for themselves ("Using service-linked roles")."""

from longshore.model import iam
from longshore.policy.key_ids import unique_id
from longshore.policy.managed import managed_document
from longshore.policy.trust import service_trust
from longshore.services.interface import Context


def have_linked_role(
    context: Context, service: str, name: str, policy: str, description: str
) -> str:
    """The ARN of the account's role of this name for `service`; made where there is none, which
    the caller must be allowed to have done. `policy` is the name of AWS's policy of the role."""
    record = context.tx.get(iam.ROLE, context.account, "", name.lower())
    if record is not None:
        return record.value.arn
    path = f"/aws-service-role/{service}/"
    arn = f"arn:aws:iam::{context.account}:role{path}{name}"
    context.authorize("iam:CreateServiceLinkedRole", arn, {"iam:AWSServiceName": service})
    policy_arn = f"arn:aws:iam::aws:policy/aws-service-role/{policy}"
    role = iam.Role(
        name=name,
        path=path,
        id=unique_id("role", context.ids),
        arn=arn,
        created_at=context.now,
        trust=service_trust(service),
        description=description,
        attached=(policy_arn,) if managed_document(policy_arn) is not None else (),
    )
    context.tx.create(iam.ROLE, context.account, "", name.lower(), role)
    return arn
