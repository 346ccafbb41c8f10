"""Instance profiles of instances that are there already."""

from typing import TYPE_CHECKING

import msgspec

from longshore.instances.parameters import wanted_profile
from longshore.model.errors import AwsError
from longshore.model.instances import INSTANCE, Instance
from longshore.services.ec2.describing import Item, Listing, describe
from longshore.services.ec2.instances import all_instances, find_instance, is_gone, place
from longshore.services.ec2.running import pass_role
from longshore.services.interface import Context, Response

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        AssociateIamInstanceProfileRequestTypeDef,
        DescribeIamInstanceProfileAssociationsRequestTypeDef,
        DisassociateIamInstanceProfileRequestTypeDef,
        IamInstanceProfileSpecificationTypeDef,
        ReplaceIamInstanceProfileAssociationRequestTypeDef,
    )

ABSENT = ("InvalidAssociationID.NotFound", "The association ID '{}' does not exist")
LISTING = Listing(
    member="IamInstanceProfileAssociations",
    ids="AssociationIds",
    id="AssociationId",
    absent=ABSENT,
    tags="",
    filters={"instance-id": "InstanceId", "state": "State"},
)


def _item(instance: Instance, state: str = "associated") -> Item:
    return {
        "AssociationId": instance.profile_association_id,
        "InstanceId": instance.id,
        "IamInstanceProfile": {"Arn": instance.profile_arn, "Id": instance.profile_id},
        "State": state,
    }


def _associated(context: Context) -> list[Instance]:
    """Instances with a profile that are not gone."""
    found = (each for each in all_instances(context) if each.profile_association_id)
    return [each for each in found if not is_gone(context, each)]


def _by_association(context: Context, association_id: str) -> Instance:
    for instance in _associated(context):
        if instance.profile_association_id == association_id:
            return instance
    code, message = ABSENT
    raise AwsError(code, message.format(association_id))


def _give(
    context: Context, instance: Instance, profile: "IamInstanceProfileSpecificationTypeDef"
) -> Instance:
    """The instance with this profile, in a new association."""
    found = wanted_profile(context.tx, context.account, profile)
    if found is None:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter IamInstanceProfile"
        )
    pass_role(context, profile)
    changed = msgspec.structs.replace(
        instance,
        profile_arn=found.arn,
        profile_id=found.id,
        profile_association_id=f"iip-assoc-{context.ids.hex(17)}",
    )
    context.tx.put(INSTANCE, *place(context), instance.id, changed)
    return changed


def associate_iam_instance_profile(
    context: Context, request: "AssociateIamInstanceProfileRequestTypeDef"
) -> Response:
    instance = find_instance(context, request["InstanceId"])
    if is_gone(context, instance):
        raise AwsError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state in which a profile can be associated.",
        )
    if instance.profile_association_id:
        raise AwsError(
            "IncorrectState", f"There is an existing association for instance {instance.id}"
        )
    changed = _give(context, instance, request["IamInstanceProfile"])
    return {"IamInstanceProfileAssociation": _item(changed, "associating")}


def replace_iam_instance_profile_association(
    context: Context, request: "ReplaceIamInstanceProfileAssociationRequestTypeDef"
) -> Response:
    instance = _by_association(context, request["AssociationId"])
    changed = _give(context, instance, request["IamInstanceProfile"])
    return {"IamInstanceProfileAssociation": _item(changed, "associating")}


def disassociate_iam_instance_profile(
    context: Context, request: "DisassociateIamInstanceProfileRequestTypeDef"
) -> Response:
    instance = _by_association(context, request["AssociationId"])
    changed = msgspec.structs.replace(
        instance, profile_arn="", profile_id="", profile_association_id=""
    )
    context.tx.put(INSTANCE, *place(context), instance.id, changed)
    return {"IamInstanceProfileAssociation": _item(instance, "disassociating")}


def describe_iam_instance_profile_associations(
    context: Context, request: "DescribeIamInstanceProfileAssociationsRequestTypeDef"
) -> Response:
    return describe(LISTING, (_item(each) for each in _associated(context)), request)
