"""Names and ARNs of ECS's things, as requests give them and responses show them."""

import re

from longshore.model.arn import make_arn, parse_arn
from longshore.model.ecs import (
    CLUSTER,
    CONTAINER_INSTANCE,
    SERVICE,
    TASK,
    Cluster,
    ContainerInstance,
    Service,
    Task,
)
from longshore.model.errors import AwsError
from longshore.services.interface import Context
from longshore.store.interface import Reader, Record

DEFAULT_CLUSTER = "default"
NAME = re.compile(r"[a-zA-Z0-9_-]{1,255}")
CLUSTER_NOT_FOUND = AwsError("ClusterNotFoundException", "Cluster not found.")


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def client_error(message: str) -> AwsError:
    return AwsError("ClientException", message)


def own_name(context: Context, reference: str, resource_type: str) -> str:
    """What follows the resource type in an ARN of this account and region; a plain name as it is.

    Raises InvalidParameterException for other ARNs.
    """
    if not reference.startswith("arn:"):
        return reference
    arn = parse_arn(reference)
    if arn is None or arn.service != "ecs" or arn.resource_type != resource_type:
        raise invalid(f"Invalid identifier: {reference}")
    if arn.account != context.account or arn.region != context.region:
        raise invalid(
            f"Identifier is for a different account or region than the caller's: {reference}"
        )
    return arn.resource_id


def cluster_name(context: Context, reference: str | None) -> str:
    """The name of the cluster that a request means; `default` where it names none."""
    name = own_name(context, reference or DEFAULT_CLUSTER, "cluster")
    if not NAME.fullmatch(name):
        raise invalid("Invalid identifier: Identifier is for cluster. Your identifier is cluster")
    return name


def require_cluster(context: Context, reference: str | None) -> Cluster:
    """The active cluster; ClusterNotFoundException."""
    name = cluster_name(context, reference)
    record = context.tx.get(CLUSTER, context.account, context.region, name)
    if record is None or record.value.status != "ACTIVE":
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    return record.value


def find_cluster(reader: Reader, account: str, region: str, name: str) -> Cluster | None:
    record = reader.get(CLUSTER, account, region, name)
    return record.value if record is not None else None


def member_name(context: Context, cluster: str, reference: str, resource_type: str) -> str:
    """`<cluster>/<id>` of a task, service or container instance given by id or ARN."""
    name = own_name(context, reference, resource_type)
    return name if "/" in name else f"{cluster}/{name}"


def cluster_of_task(context: Context, reference: str) -> str:
    """The cluster in a task's ARN of this account and region; empty where it names none."""
    arn = parse_arn(reference)
    if arn is None or (arn.account, arn.region) != (context.account, context.region):
        return ""
    cluster, _, task_id = arn.resource_id.partition("/")
    return cluster if task_id else ""


def find_task(context: Context, cluster: str, reference: str) -> Record[Task] | None:
    name = member_name(context, cluster, reference, "task")
    if not name.startswith(f"{cluster}/"):
        return None
    return context.tx.get(TASK, context.account, context.region, name)


def find_instance(
    context: Context, cluster: str, reference: str
) -> Record[ContainerInstance] | None:
    name = member_name(context, cluster, reference, "container-instance")
    if not name.startswith(f"{cluster}/"):
        return None
    return context.tx.get(CONTAINER_INSTANCE, context.account, context.region, name)


def find_service(context: Context, cluster: str, reference: str) -> Record[Service] | None:
    name = member_name(context, cluster, reference, "service")
    if not name.startswith(f"{cluster}/"):
        return None
    return context.tx.get(SERVICE, context.account, context.region, name)


def arn_of(context: Context, resource: str) -> str:
    """An ARN of this account and region."""
    return make_arn("ecs", context.region, context.account, resource)


def missing(arn: str) -> dict[str, str]:
    """The failure for something asked after that is not there."""
    return {"arn": arn, "reason": "MISSING"}
