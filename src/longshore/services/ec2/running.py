"""RunInstances."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from longshore.instances import launch_request, role_of
from longshore.instances import run_instances as launch
from longshore.instances.networking import refuse_mixture
from longshore.instances.parameters import wanted_profile
from longshore.model.errors import AwsError
from longshore.model.instances import INSTANCE, Instance
from longshore.services.ec2.idempotency import once
from longshore.services.ec2.instances import around, instance_item, place, reservations
from longshore.services.ec2.tagging import tags_at_creation
from longshore.services.interface import Context, Response

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import RunInstancesRequestTypeDef

INSTANCES_SERVICE = "ec2.amazonaws.com"
TAGGED = ("instance", "volume", "network-interface", "spot-instances-request")
"""What a launch can tag."""


def run_instances(context: Context, request: "RunInstancesRequestTypeDef") -> Response:
    """Launch instances; the reservation shows them as pending."""
    merged = launch_request(context.tx, *place(context), request)
    refuse_mixture(merged)
    check_launch_tags(context, merged)
    pass_role(context, merged.get("IamInstanceProfile"))

    def make() -> Instance:
        return launch(context.tx, around(context), request)[0]

    first = once(context, request, INSTANCE, make)
    made = context.tx.find(INSTANCE, *place(context), "reservation", first.reservation_id)
    return reservations(instance_item(context, record.value) for record in made)[0]


def check_launch_tags(context: Context, request: Mapping[str, Any]) -> None:
    """Tags of a launch are good, and the caller may give them."""
    specifications = request.get("TagSpecifications") or ()
    for given in specifications:
        if given.get("ResourceType") not in TAGGED:
            raise AwsError(
                "InvalidParameterValue",
                f"'{given.get('ResourceType')}' is not a valid taggable resource type for this "
                "operation.",
            )
    for kind in TAGGED:
        of_kind = [given for given in specifications if given["ResourceType"] == kind]
        if of_kind:
            tags_at_creation(context, {"TagSpecifications": of_kind}, kind)


def pass_role(context: Context, profile: Mapping[str, Any] | None) -> None:
    """Who launches hands the profile's role to the instance: iam:PassRole must be allowed."""
    found = wanted_profile(context.tx, context.account, profile)
    role = role_of(context.tx, context.account, found.arn) if found is not None else None
    if role is not None:
        context.authorize("iam:PassRole", role.arn, {"iam:PassedToService": INSTANCES_SERVICE})
