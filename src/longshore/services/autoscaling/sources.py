"""What groups launch their instances from: launch templates, and policies that mix types."""

from collections.abc import Iterator, Mapping
from typing import Any

from longshore.instances import launch_request, role_of, template_of
from longshore.instances.images import require_image
from longshore.instances.parameters import checked_type, refuse_unbuilt, wanted_profile
from longshore.model.arn import make_arn
from longshore.model.errors import AwsError, not_built
from longshore.services.autoscaling.failures import invalid
from longshore.services.interface import Context

Document = Mapping[str, Any]

INSTANCES_SERVICE = "ec2.amazonaws.com"
NEEDED = (
    "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
    "MixedInstancesPolicy parameter."
)
NOT_FORMED = "You must use a valid fully-formed launch template."
DISTRIBUTION: Document = {
    "OnDemandAllocationStrategy": "prioritized",
    "OnDemandBaseCapacity": 0,
    "OnDemandPercentageAboveBaseCapacity": 100,
    "SpotAllocationStrategy": "lowest-price",
}
"""What AWS fills in ("InstancesDistribution")."""
ON_DEMAND_STRATEGIES = ("lowest-price", "prioritized")
SPOT_STRATEGIES = (
    "capacity-optimized",
    "capacity-optimized-prioritized",
    "lowest-price",
    "price-capacity-optimized",
)


def given_source(context: Context, request: Document) -> dict[str, Any]:
    """The group's fields `launch_template` and `mixed_instances`; one of them is None.

    ValidationError where the request names none or several, or what it names will not do.
    """
    given = [
        name
        for name in ("LaunchTemplate", "LaunchConfigurationName", "MixedInstancesPolicy")
        if request.get(name)
    ]
    if request.get("InstanceId") and not given:
        raise not_built("groups made from the parameters of an instance")
    if len(given) != 1:
        raise invalid(NEEDED)
    if given == ["LaunchConfigurationName"]:
        raise not_built("launch configurations")
    return source_fields(context, request, None)


def source_fields(context: Context, request: Document, before: Document | None) -> dict[str, Any]:
    """The same of a request that has a template or a policy, or has neither: no fields then.

    `before` is the policy that the group has; what the request leaves out of one stays.
    """
    if request.get("LaunchTemplate") and request.get("MixedInstancesPolicy"):
        raise invalid(NEEDED)
    if request.get("LaunchTemplate"):
        kept = kept_template(context, request["LaunchTemplate"])
        check_formed(context, kept, {})
        return {"launch_template": kept, "mixed_instances": None}
    if request.get("MixedInstancesPolicy"):
        policy = _policy(context, request["MixedInstancesPolicy"], before)
        return {"launch_template": None, "mixed_instances": policy}
    return {}


def kept_template(context: Context, specification: Document) -> dict[str, Any]:
    """The specification with the template's id and name, and the version as it was asked for."""
    if bool(specification.get("LaunchTemplateId")) == bool(specification.get("LaunchTemplateName")):
        raise invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName")
    try:
        template = template_of(context.tx, context.account, context.region, specification)
    except AwsError as error:
        raise invalid(f"{NOT_FORMED} {error.message}") from None
    version = str(specification.get("Version") or "$Default")
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "Version": version,
    }


def check_formed(context: Context, template: Document, override: Document) -> Document:
    """Whether the caller could launch from the template; its parameters.

    ValidationError where something of it is missing or wrong, AccessDenied where the caller may
    not run instances from it, or not hand on its instance profile's role.
    """
    named = {key: template[key] for key in ("LaunchTemplateId", "Version")}
    asked = {key: override[key] for key in ("InstanceType", "ImageId") if override.get(key)}
    try:
        whole = launch_request(
            context.tx, context.account, context.region, {"LaunchTemplate": named, **asked}
        )
        refuse_unbuilt(whole)
        _check_parameters(context, whole)
        _check_permission(context, template["LaunchTemplateId"], whole)
    except AwsError as error:
        raise _as_ours(error, template["LaunchTemplateId"]) from None
    return whole


def _check_parameters(context: Context, whole: Document) -> None:
    if not whole.get("ImageId"):
        raise invalid("The request must contain the parameter ImageId")
    require_image(context.tx, context.account, context.region, whole["ImageId"])
    checked_type(whole.get("InstanceType", ""))


def _check_permission(context: Context, template_id: str, whole: Document) -> None:
    """Whoever sets a group up runs its instances, and hands their role to them."""
    arn = make_arn("ec2", context.region, context.account, f"launch-template/{template_id}")
    context.authorize("ec2:RunInstances", arn, {"ec2:Region": context.region})
    profile = wanted_profile(context.tx, context.account, whole.get("IamInstanceProfile"))
    role = role_of(context.tx, context.account, profile.arn) if profile is not None else None
    if role is not None:
        service = {"iam:PassedToService": INSTANCES_SERVICE}
        context.authorize("iam:PassRole", role.arn, service)


def _as_ours(error: AwsError, template_id: str) -> AwsError:
    if error.code.startswith("AccessDenied"):
        message = f"You are not authorized to use launch template: {template_id}"
        return AwsError("AccessDenied", message, status=403)
    return error if error.status == 501 else invalid(f"{NOT_FORMED} {error.message}")


def _policy(context: Context, given: Document, before: Document | None) -> dict[str, Any]:
    old = before or {}
    parts = given.get("LaunchTemplate") or old.get("LaunchTemplate") or {}
    specification = parts.get("LaunchTemplateSpecification")
    if not specification:
        raise invalid("The MixedInstancesPolicy must contain a LaunchTemplateSpecification.")
    if specification.get("LaunchTemplateId"):
        specification = {
            key: value for key, value in specification.items() if key != "LaunchTemplateName"
        }
    kept = kept_template(context, specification)
    overrides = [_override(context, each) for each in parts.get("Overrides") or ()]
    for override in overrides or [{}]:
        whole = check_formed(context, override.get("LaunchTemplateSpecification") or kept, override)
        if whole.get("InstanceMarketOptions"):
            raise invalid(
                "Incompatible launch template: a launch template of a MixedInstancesPolicy must "
                "not specify InstanceMarketOptions."
            )
    return {
        "LaunchTemplate": {"LaunchTemplateSpecification": kept, "Overrides": overrides},
        "InstancesDistribution": _distribution(
            old.get("InstancesDistribution") or {}, given.get("InstancesDistribution") or {}
        ),
    }


def _override(context: Context, given: Document) -> dict[str, Any]:
    if given.get("InstanceRequirements"):
        raise not_built("instance types that are chosen by requirements")
    if given.get("WeightedCapacity"):
        raise not_built("weights of instance types")
    if not given.get("InstanceType"):
        raise invalid("An override of a MixedInstancesPolicy must contain an InstanceType.")
    kept = {key: given[key] for key in ("InstanceType", "ImageId") if given.get(key)}
    specification = given.get("LaunchTemplateSpecification")
    if specification:
        if specification.get("LaunchTemplateId"):
            specification = {
                key: value for key, value in specification.items() if key != "LaunchTemplateName"
            }
        kept["LaunchTemplateSpecification"] = kept_template(context, specification)
    return kept


def _distribution(old: Document, given: Document) -> dict[str, Any]:
    if given.get("DistributionSegments"):
        raise not_built("segments of instance distributions")
    merged = {**DISTRIBUTION, **old, **given}
    if merged["OnDemandBaseCapacity"] < 0:
        raise invalid("OnDemandBaseCapacity must not be negative.")
    if not 0 <= merged["OnDemandPercentageAboveBaseCapacity"] <= 100:
        raise invalid("OnDemandPercentageAboveBaseCapacity must be between 0 and 100.")
    for name, known in (
        ("OnDemandAllocationStrategy", ON_DEMAND_STRATEGIES),
        ("SpotAllocationStrategy", SPOT_STRATEGIES),
    ):
        if merged[name] not in known:
            raise invalid(f"{name} must be one of: {', '.join(known)}.")
    if merged["SpotAllocationStrategy"] == "lowest-price":
        merged.setdefault("SpotInstancePools", 2)
    elif "SpotInstancePools" not in given:
        merged.pop("SpotInstancePools", None)
    return merged


def specifications(request: Document) -> Iterator[Document]:
    """Every LaunchTemplateSpecification in a request."""
    if request.get("LaunchTemplate"):
        yield request["LaunchTemplate"]
    parts = (request.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    if parts.get("LaunchTemplateSpecification"):
        yield parts["LaunchTemplateSpecification"]
    for override in parts.get("Overrides") or ():
        if override.get("LaunchTemplateSpecification"):
            yield override["LaunchTemplateSpecification"]
