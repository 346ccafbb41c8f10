"""AWS's documented request rates, as token buckets for an account and region.

Sources: "Request throttling for the Amazon ECS API" (Amazon ECS developer guide), "Request
throttling for the Amazon EC2 API" (Amazon EC2 developer guide), "Amazon ECR service quotas".
"""

from typing import NamedTuple


class Limit(NamedTuple):
    """`burst` tokens at most, `rate` come back each second; a category's operations share them."""

    category: str
    burst: int
    rate: float


ECS: tuple[tuple[str, int, int, str], ...] = (
    (
        "cluster modify",
        20,
        1,
        "CreateCluster DeleteCluster PutClusterCapacityProviders UpdateCluster "
        "UpdateClusterSettings",
    ),
    ("cluster read", 50, 20, "DescribeClusters ListClusters"),
    ("task definition modify", 20, 1, "DeregisterTaskDefinition RegisterTaskDefinition"),
    (
        "task definition read",
        50,
        20,
        "DescribeTaskDefinition ListTaskDefinitions ListTaskDefinitionFamilies",
    ),
    ("task definition deletion", 5, 1, "DeleteTaskDefinitions"),
    (
        "capacity provider modify",
        10,
        1,
        "CreateCapacityProvider DeleteCapacityProvider UpdateCapacityProvider",
    ),
    ("capacity provider read", 50, 20, "DescribeCapacityProviders"),
    ("tag modify", 20, 10, "TagResource UntagResource"),
    ("tag read", 50, 20, "ListTagsForResource"),
    ("setting modify", 10, 1, "DeleteAccountSetting PutAccountSetting PutAccountSettingDefault"),
    ("setting read", 50, 20, "ListAccountSettings"),
    (
        "cluster resource modify",
        100,
        40,
        "DeleteAttributes DeregisterContainerInstance ExecuteCommand PutAttributes RunTask "
        "StartTask StopTask UpdateContainerAgent UpdateContainerInstancesState",
    ),
    (
        "cluster resource read",
        100,
        20,
        "DescribeContainerInstances DescribeTasks ListAttributes ListContainerInstances ListTasks",
    ),
    (
        "agent modify",
        200,
        120,
        "RegisterContainerInstance SubmitAttachmentStateChanges SubmitContainerStateChange "
        "SubmitTaskStateChange",
    ),
    ("service modify", 50, 5, "CreateService DeleteService UpdateService"),
    ("service read", 100, 20, "DescribeServices ListServices"),
    ("service deployment", 50, 20, "DescribeServiceDeployments ListServiceDeployments"),
    ("service revision", 50, 20, "DescribeServiceRevisions"),
    ("task protection", 200, 80, "UpdateTaskProtection GetTaskProtection"),
    ("namespace read", 10, 1, "ListServicesByNamespace"),
)
ECR: tuple[tuple[str, int, int, str], ...] = (
    ("token", 500, 500, "GetAuthorizationToken"),
    ("layer check", 1000, 1000, "BatchCheckLayerAvailability"),
    ("image read", 2000, 2000, "BatchGetImage"),
    ("layer read", 3000, 3000, "GetDownloadUrlForLayer"),
    ("upload start", 100, 100, "InitiateLayerUpload"),
    ("upload part", 500, 500, "UploadLayerPart"),
    ("upload end", 100, 100, "CompleteLayerUpload"),
    ("image write", 10, 10, "PutImage"),
)
EC2_READ = (100, 20)
EC2_WRITE = (50, 5)
"""Each operation of EC2 has a bucket of its own."""
EC2_READS = ("Describe", "Get", "List", "Search", "Export")


def _by_operation(
    service: str, table: tuple[tuple[str, int, int, str], ...]
) -> dict[tuple[str, str], Limit]:
    return {
        (service, operation): Limit(f"{service} {category}", burst, rate)
        for category, burst, rate, operations in table
        for operation in operations.split()
    }


LIMITS = _by_operation("ecs", ECS) | _by_operation("ecr", ECR)


def limit_of(service: str, operation: str) -> Limit | None:
    """The bucket of an operation; None where AWS documents none."""
    if service == "ec2":
        burst, rate = EC2_READ if operation.startswith(EC2_READS) else EC2_WRITE
        return Limit(f"ec2 {operation}", burst, rate)
    return LIMITS.get((service, operation))
