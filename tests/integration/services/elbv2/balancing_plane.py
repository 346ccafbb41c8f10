"""Elastic Load Balancing beside EC2 and IAM over a real store, as boto3 calls it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration.services.iam.iam_plane import ACCOUNT, Caller, Plane

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.gateway.gateway import Gateway
from longshore.model.kinds import KINDS
from longshore.services import ec2, elbv2, iam
from longshore.services.iam.first_start import ensure_administrator, ensure_sealing_key
from longshore.services.iam.identity import IamIdentity
from longshore.store import open_store
from longshore.store.interface import Store
from longshore.testing.ports import free_ports
from longshore.vpc import create_default_vpc

REGION = "us-east-1"


@dataclass(kw_only=True)
class Balancing:
    """ELB for its administrator, beside a default VPC with three subnets."""

    plane: Plane
    store: Store
    subnets: list[str] = field(default_factory=list)
    vpc: str = ""

    async def call(self, operation: str, *, by: Caller | None = None, **request: Any) -> Any:
        return await (by or self.plane.admin).call(operation, service="elbv2", **request)

    async def error(
        self, operation: str, *, by: Caller | None = None, **request: Any
    ) -> tuple[str, str]:
        caller = by or self.plane.admin
        code, message, _ = await caller.error(operation, service="elbv2", **request)
        return code, message

    async def ec2(self, operation: str, **request: Any) -> Any:
        return await self.plane.admin.call(operation, service="ec2", **request)

    def balancer_request(self, name: str = "front", **more: Any) -> dict[str, Any]:
        usual: dict[str, Any] = {"Name": name, "Type": "network", "Subnets": self.subnets[:2]}
        return {key: value for key, value in {**usual, **more}.items() if value is not None}

    async def balancer(self, name: str = "front", **more: Any) -> Any:
        request = self.balancer_request(name, **more)
        return (await self.call("create_load_balancer", **request))["LoadBalancers"][0]

    async def balancer_refused(self, name: str = "front", **more: Any) -> tuple[str, str]:
        return await self.error("create_load_balancer", **self.balancer_request(name, **more))

    def group_request(self, name: str = "web", **more: Any) -> dict[str, Any]:
        usual: dict[str, Any] = {
            "Name": name,
            "Protocol": "TCP",
            "Port": 8080,
            "VpcId": self.vpc,
            "TargetType": "ip",
        }
        return {key: value for key, value in {**usual, **more}.items() if value is not None}

    async def group(self, name: str = "web", **more: Any) -> Any:
        request = self.group_request(name, **more)
        return (await self.call("create_target_group", **request))["TargetGroups"][0]

    async def group_refused(self, name: str = "web", **more: Any) -> tuple[str, str]:
        return await self.error("create_target_group", **self.group_request(name, **more))

    def listener_request(self, balancer: Any, group: Any, **more: Any) -> dict[str, Any]:
        usual: dict[str, Any] = {
            "LoadBalancerArn": balancer["LoadBalancerArn"],
            "Protocol": "TCP",
            "Port": 80,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
        }
        return {key: value for key, value in {**usual, **more}.items() if value is not None}

    async def listener(self, balancer: Any, group: Any, **more: Any) -> Any:
        request = self.listener_request(balancer, group, **more)
        return (await self.call("create_listener", **request))["Listeners"][0]

    async def listener_refused(self, balancer: Any, group: Any, **more: Any) -> tuple[str, str]:
        return await self.error("create_listener", **self.listener_request(balancer, group, **more))

    async def address(self, subnet: int = 0, offset: int = 50) -> str:
        """An address in this subnet."""
        found = await self.ec2("describe_subnets", SubnetIds=[self.subnets[subnet]])
        base = found["Subnets"][0]["CidrBlock"].rpartition(".")[0]
        return f"{base}.{offset}"

    async def health(self, group: Any, **more: Any) -> Any:
        arn = group["TargetGroupArn"]
        answer = await self.call("describe_target_health", TargetGroupArn=arn, **more)
        return answer["TargetHealthDescriptions"]


@contextlib.asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[Balancing]:
    installation = Installation(data_dir=data_dir, port=free_ports(2), account=ACCOUNT)
    clock, ids = SystemClock(), RandomIds()
    store = await open_store(f"sqlite://{data_dir}/state.db", KINDS, clock)
    await store.transact(lambda tx: ensure_sealing_key(tx, ids))
    administrator = await store.transact(
        lambda tx: ensure_administrator(tx, ACCOUNT, ids, clock.now())
    )
    await store.transact(lambda tx: create_default_vpc(tx, ACCOUNT, REGION, ids))
    gateway = Gateway(
        services=[elbv2.service(), ec2.service(), iam.service()],
        store=store,
        clock=clock,
        ids=ids,
        installation=installation,
        identity=IamIdentity(ids),
    )
    await gateway.start()
    with contextlib.ExitStack() as stack:
        try:
            url = f"http://127.0.0.1:{installation.port}"
            balancing = Balancing(plane=Plane(url, store, administrator, stack), store=store)
            found = (await balancing.ec2("describe_subnets"))["Subnets"]
            zones = {each["AvailabilityZone"]: each["SubnetId"] for each in found}
            balancing.subnets = [zones[zone] for zone in sorted(zones)]
            balancing.vpc = found[0]["VpcId"]
            yield balancing
        finally:
            await gateway.stop()
            await store.close()
