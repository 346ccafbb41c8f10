"""What RunTask, StartTask and the services ask of a launch: checks and defaults."""

from collections.abc import Mapping, Sequence
from typing import Any

from longshore.model.ec2 import SECURITY_GROUP, SUBNET
from longshore.model.ecs import Cluster, Document, Tags, TaskDefinition, TaskNetwork
from longshore.model.errors import AwsError
from longshore.scheduler.demand import overridden
from longshore.services.ecs.definition_checks import check_expression, check_sizes
from longshore.services.ecs.naming import client_error, invalid
from longshore.services.ecs.roles import check_trust, pass_role
from longshore.services.ecs.tags import merge_tags
from longshore.services.interface import Context
from longshore.vpc.lookup import require

MOST_SUBNETS = 16
MOST_GROUPS = 5
PLATFORMS = frozenset({"LATEST", "1.4.0", "1.3.0"})
STRATEGIES = {"random", "spread", "binpack"}


def launch_type_of(request: Mapping[str, Any], cluster: Cluster) -> tuple[str, str]:
    """(launch type, capacity provider): from the request, else the cluster's default strategy."""
    strategy = request.get("capacityProviderStrategy")
    stated = request.get("launchType") or ""
    if stated and strategy:
        raise invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again."
        )
    if not stated and not strategy:
        strategy = cluster.default_strategy
    if not strategy:
        return stated or "EC2", ""
    best = max(strategy, key=lambda item: (item.get("base") or 0, item.get("weight") or 0))
    provider = best["capacityProvider"]
    if provider not in cluster.capacity_providers:
        raise invalid(
            f"The specified capacity provider '{provider}' is not associated with the cluster "
            f"'{cluster.name}'."
        )
    return "FARGATE", provider


def check_compatible(definition: TaskDefinition, launch_type: str) -> None:
    """The definition can be run with the launch type."""
    stated = definition.document.get("requiresCompatibilities")
    allowed = stated if launch_type == "FARGATE" and stated else definition.compatibilities
    if launch_type not in allowed:
        raise invalid(f"Task definition does not support launch_type {launch_type}.")


def network_of(
    context: Context, request: Mapping[str, Any], definition: TaskDefinition, launch_type: str
) -> TaskNetwork | None:
    """The awsvpc configuration, which is there exactly where the network mode wants it."""
    given = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if definition.document.get("networkMode") != "awsvpc":
        if given:
            raise invalid(
                "Network Configuration is not valid for the given networkMode of this task "
                "definition."
            )
        return None
    if not given:
        raise invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    subnets, groups = given.get("subnets") or (), given.get("securityGroups") or ()
    if not subnets or len(subnets) > MOST_SUBNETS:
        raise invalid("subnets can have at most 16 items and at least 1.")
    if len(groups) > MOST_GROUPS:
        raise invalid("securityGroups can have at most 5 items.")
    if given.get("assignPublicIp") == "ENABLED" and launch_type != "FARGATE":
        raise invalid("Assign public IP is not supported for this launch type.")
    _check_network(context, subnets, groups)
    public = given.get("assignPublicIp") == "ENABLED"
    return TaskNetwork(subnets=tuple(subnets), security_groups=tuple(groups), public=public)


def _check_network(context: Context, subnets: Sequence[str], groups: Sequence[str]) -> None:
    try:
        vpcs = {
            require(context.tx, SUBNET, context.account, context.region, each).vpc_id
            for each in subnets
        }
        vpcs |= {
            require(context.tx, SECURITY_GROUP, context.account, context.region, each).vpc_id
            for each in groups
        }
    except AwsError as error:
        raise invalid(
            f"Error retrieving network information for {[*subnets, *groups]}: {error.message} "
            f"(Service: AmazonEC2; Status Code: 400; Error Code: {error.code})"
        ) from error
    if len(vpcs) > 1:
        raise invalid("Subnets and security groups must belong to the same VPC.")


def check_overrides(overrides: Document, definition: TaskDefinition, launch_type: str) -> None:
    """Overrides name containers of the definition, and leave sizes that it could have had."""
    if not overrides:
        return
    names = {c["name"] for c in definition.document["containerDefinitions"]}
    for override in overrides.get("containerOverrides") or ():
        if not override.get("name"):
            raise invalid("Override container name can't be null or empty.")
        if override["name"] not in names:
            raise invalid(
                f"Override for container named {override['name']} is not a container in the "
                "TaskDefinition."
            )
    try:
        check_sizes(overridden(definition.document, overrides), launch_type)
    except AwsError as error:
        # RunTask's own code for what RegisterTaskDefinition says in the same words.
        raise invalid(error.message) from None


def check_roles(context: Context, definition: TaskDefinition, overrides: Document) -> None:
    """The roles that the task will have may be passed by the caller, exist and trust it.

    Whoever registered the definition, who starts tasks of it passes its roles once more: so AWS's
    policies for such callers grant it (`AmazonEC2ContainerServiceEventsRole` beside RunTask,
    `AWSCodeDeployRoleForECS` beside deployments).
    """
    document = overridden(definition.document, overrides)
    for member in ("taskRoleArn", "executionRoleArn"):
        role = document.get(member)
        if role:
            pass_role(context, role)
            check_trust(context, role)


def check_placement(request: Mapping[str, Any], launch_type: str) -> None:
    """Constraints and strategies are well-formed, and not for Fargate."""
    constraints = request.get("placementConstraints") or ()
    strategies = request.get("placementStrategy") or ()
    if launch_type == "FARGATE" and (constraints or strategies):
        what = "constraints" if constraints else "strategies"
        raise client_error(f"Placement {what} are not supported with FARGATE launch type.")
    for constraint in constraints:
        if constraint.get("type") not in {"distinctInstance", "memberOf"}:
            raise invalid(f"Invalid constraint type: {constraint.get('type')}")
        if constraint["type"] == "memberOf":
            check_expression(constraint.get("expression") or "")
    for strategy in strategies:
        if strategy.get("type") not in STRATEGIES:
            raise invalid(f"Invalid placement strategy type: {strategy.get('type')}")
        if strategy["type"] == "binpack" and (strategy.get("field") or "").lower() not in {
            "cpu",
            "memory",
        }:
            raise invalid("Binpack placement strategy field must be cpu or memory.")


def check_platform(request: Mapping[str, Any], launch_type: str) -> str:
    """The platform version; empty for EC2."""
    version = request.get("platformVersion") or ""
    if version and launch_type != "FARGATE":
        raise invalid("The platform version must be null when specifying an EC2 launch type.")
    if version and version not in PLATFORMS:
        raise AwsError("PlatformUnknownException", "The specified platform does not exist.")
    return version


def task_tags(
    own: Tags,
    request: Mapping[str, Any],
    definition: TaskDefinition,
    managed: Tags,
) -> Tags:
    """The tags of a task: its own, its definition's where propagated, ECS's."""
    propagated = definition.tags if request.get("propagateTags") == "TASK_DEFINITION" else ()
    return merge_tags(propagated, own, managed if request.get("enableECSManagedTags") else ())
