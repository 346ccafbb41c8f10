"""A gateway on ports of its own, with a few services over an in-memory store, for tests."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import msgspec
from botocore.config import Config

from longshore.base.authority import Authority
from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.gateway.gateway import Gateway
from longshore.gateway.server import Certificate
from longshore.model.errors import AwsError
from longshore.model.kind import Kind
from longshore.services.interface import Context, Resource, Service
from longshore.store.interface import StoreUnavailable
from longshore.testing.identity import KEY_ID, SECRET, KnownKeys
from longshore.testing.memory_store import MemoryStore
from longshore.testing.ports import free_ports


class Cluster(msgspec.Struct, frozen=True):
    name: str


CLUSTER = Kind("test.cluster", Cluster)


def arn(context: Context, name: str) -> str:
    return f"arn:aws:ecs:{context.region}:{context.account}:cluster/{name}"


def create_cluster(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    name = request.get("clusterName", "default")
    context.tx.put(CLUSTER, context.account, context.region, name, Cluster(name))
    return {"cluster": {"clusterName": name, "clusterArn": arn(context, name)}}


def describe_clusters(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    names = request.get("clusters", ["default"])
    found = [
        name for name in names if context.tx.get(CLUSTER, context.account, context.region, name)
    ]
    return {"clusters": [{"clusterName": name} for name in found], "failures": []}


def delete_cluster(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    raise AwsError("ClusterNotFoundException", "Cluster not found.")


def list_clusters(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    raise StoreUnavailable("the disk is full")


def list_services(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    raise ValueError("a mistake of ours")


def list_tasks(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    return {"taskArns": None}


async def run_task(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    await context.clock.sleep(0)
    await context.store.transact(lambda tx: create_cluster(with_tx(context, tx), {}))
    return {"tasks": [], "failures": []}


def with_tx(context: Context, tx: Any) -> Context:
    context.tx = tx
    return context


def pass_role(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    context.authorize("iam:PassRole", request["taskRoleArn"], {"iam:PassedToService": "ecs"})
    return {"taskDefinition": {"family": request["family"]}}


def clusters_of(context: Context, request: dict[str, Any]) -> list[Resource]:
    return [
        Resource(arn=arn(context, name), conditions={"ecs:cluster": name})
        for name in request.get("clusters", [])
    ]


def describe_vpcs(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    if request.get("VpcIds"):
        message = f"The vpc ID '{request['VpcIds'][0]}' does not exist"
        raise AwsError("InvalidVpcID.NotFound", message)
    return {"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "IsDefault": True}]}


def get_user(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    name = request.get("UserName", "")
    if name != "ann":
        raise AwsError("NoSuchEntity", f"The user with name {name} cannot be found.")
    return {
        "User": {
            "UserName": name,
            "UserId": "AIDA1",
            "Path": "/",
            "Arn": "arn:aws:iam::123456789012:user/ann",
            "CreateDate": 1_767_225_600.0,
        }
    }


def get_caller_identity(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    return {"Account": context.account, "Arn": context.principal.arn, "UserId": "x"}


def invoke(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    return {"StatusCode": 200, "Payload": request["Payload"], "ExecutedVersion": "$LATEST"}


def get_function(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    raise AwsError("ResourceNotFoundException", f"Function not found: {request['FunctionName']}")


def put_object(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    return {"ETag": f'"{request["Key"]}:{request["Body"].decode()}"'}


def put_metric_data(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    if len(request["MetricData"]) != 1000:
        raise AwsError("InvalidParameterValue", f"{len(request['MetricData'])} metrics came")
    return {}


def list_metrics(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    return {"Metrics": [{"Namespace": request["Namespace"], "MetricName": "CPU"}]}


SERVICES = [
    Service(
        name="ecs",
        iam_prefix="ecs",
        operations={
            "CreateCluster": create_cluster,
            "DescribeClusters": describe_clusters,
            "DeleteCluster": delete_cluster,
            "ListClusters": list_clusters,
            "ListServices": list_services,
            "ListTasks": list_tasks,
            "RegisterTaskDefinition": pass_role,
        },
        waiting={"RunTask": run_task},
        resources={"DescribeClusters": clusters_of},
    ),
    Service(name="ec2", iam_prefix="ec2", operations={"DescribeVpcs": describe_vpcs}),
    Service(name="iam", iam_prefix="iam", operations={"GetUser": get_user}),
    Service(
        name="sts",
        iam_prefix="sts",
        operations={
            "GetCallerIdentity": get_caller_identity,
            "AssumeRoleWithWebIdentity": lambda context, request: {"Audience": context.account},
        },
        unauthorized=frozenset({"GetCallerIdentity"}),
        anonymous=frozenset({"AssumeRoleWithWebIdentity"}),
    ),
    Service(
        name="lambda",
        iam_prefix="lambda",
        operations={"Invoke": invoke, "GetFunction": get_function},
    ),
    Service(name="s3", iam_prefix="s3", operations={"PutObject": put_object}),
    Service(
        name="cloudwatch",
        iam_prefix="cloudwatch",
        operations={"ListMetrics": list_metrics, "PutMetricData": put_metric_data},
    ),
]


@dataclass
class Running:
    """A gateway that answers, and how to call it."""

    gateway: Gateway
    installation: Installation
    store: MemoryStore
    identity: KnownKeys
    ca: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.installation.port}"

    @property
    def tls_url(self) -> str:
        return f"https://127.0.0.1:{self.installation.tls_port}"

    def client(self, service: Any, **changes: Any) -> Any:
        settings: dict[str, Any] = {
            "endpoint_url": self.url,
            "region_name": "us-east-1",
            "aws_access_key_id": KEY_ID,
            "aws_secret_access_key": SECRET,
            "config": Config(
                retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=20
            ),
        }
        return boto3.client(service, **{**settings, **changes})

    async def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        """A boto3 call, without the metadata of its response."""
        client = self.client(service)
        try:
            answer = await asyncio.to_thread(getattr(client, operation), **request)
        finally:
            client.close()
        answer.pop("ResponseMetadata")
        return dict(answer)


Start = Callable[..., Awaitable[Running]]


async def start_gateway(
    data_dir: Path,
    identity: KnownKeys | None = None,
    auth: str = "enforced",
    routes: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Running:
    """Start one; whoever calls this stops it."""
    installation = Installation(data_dir=data_dir, port=free_ports(2), auth=auth)
    authority = Authority.load_or_create(data_dir / "ca", "test")
    certificate = authority.certificate(["localhost"], ["127.0.0.1"])
    store, identity = MemoryStore(), identity or KnownKeys()
    gateway = Gateway(
        services=SERVICES,
        store=store,
        clock=SystemClock(),
        ids=RandomIds(),
        installation=installation,
        identity=identity,
        certificate=lambda: Certificate(*certificate),
        routes=routes or {},
        **changes,
    )
    await gateway.start()
    return Running(gateway, installation, store, identity, authority.certificate_path)
