"""EKS beside IAM and EC2 over a real store, as boto3 calls it; nothing makes the clusters run."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from integration.services.iam.iam_plane import ACCOUNT, Caller, Plane

from longshore.base.clock import SystemClock
from longshore.base.ids import RandomIds
from longshore.base.installation import Installation
from longshore.base.sealing import Sealer
from longshore.gateway.gateway import Gateway
from longshore.model import eks
from longshore.model.kinds import KINDS
from longshore.services import ec2, eks_auth, iam, kms, sts
from longshore.services import eks as eks_room
from longshore.services.iam.first_start import ensure_administrator, ensure_sealing_key
from longshore.services.iam.identity import IamIdentity
from longshore.store import open_store
from longshore.testing.ports import free_ports
from longshore.vpc import create_default_vpc

REGION = "us-east-1"
EKS = {"Service": "eks.amazonaws.com"}


@dataclass(kw_only=True)
class Clusters:
    """EKS for its administrator, with a role and a VPC that clusters may have."""

    plane: Plane
    role: str = ""
    vpc: str = ""
    subnets: tuple[str, ...] = ()

    def request(self, name: str, **more: Any) -> dict[str, Any]:
        """What CreateCluster is called with; members of `network` go into resourcesVpcConfig."""
        network = {"subnetIds": list(self.subnets), **more.pop("network", {})}
        return {"name": name, "roleArn": self.role, "resourcesVpcConfig": network, **more}

    async def create(self, name: str, **more: Any) -> Any:
        return (await self.call("create_cluster", **self.request(name, **more)))["cluster"]

    async def create_api(self, name: str, **more: Any) -> Any:
        """A cluster that has access entries, but none yet."""
        access = {
            "authenticationMode": "API",
            "bootstrapClusterCreatorAdminPermissions": False,
        }
        return await self.create(name, accessConfig=access, **more)

    async def refused(self, name: str = "web", **more: Any) -> tuple[str, str]:
        """The code and message with which CreateCluster is refused."""
        return await self.error("create_cluster", **self.request(name, **more))

    async def describe(self, name: str) -> Any:
        return (await self.call("describe_cluster", name=name))["cluster"]

    async def call(self, operation: str, *, by: Caller | None = None, **request: Any) -> Any:
        return await (by or self.plane.admin).call(operation, service="eks", **request)

    async def error(
        self, operation: str, *, by: Caller | None = None, **request: Any
    ) -> tuple[str, str]:
        caller = by or self.plane.admin
        code, message, _ = await caller.error(operation, service="eks", **request)
        return code, message

    async def ec2(self, operation: str, **request: Any) -> Any:
        return await self.plane.admin.call(operation, service="ec2", **request)

    async def subnet(self, vpc: str, cidr: str, zone: str) -> str:
        made = await self.ec2("create_subnet", VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)
        return str(made["Subnet"]["SubnetId"])

    async def network(self, cidr: str, *more: str) -> tuple[str, ...]:
        """Two subnets, in two zones, of a new VPC with these CIDRs (/16)."""
        vpc = (await self.ec2("create_vpc", CidrBlock=cidr))["Vpc"]["VpcId"]
        for each in more:
            await self.ec2("associate_vpc_cidr_block", VpcId=vpc, CidrBlock=each)
        start = cidr.removesuffix(".0.0/16")
        return (
            await self.subnet(vpc, f"{start}.1.0/24", "us-east-1a"),
            await self.subnet(vpc, f"{start}.2.0/24", "us-east-1b"),
        )

    async def become(self, name: str, **fields: Any) -> None:
        """What the cluster's controller would write."""
        place = (ACCOUNT, REGION, name)

        def write(tx: Any) -> None:
            cluster = tx.get(eks.CLUSTER, *place).value
            status = eks.ClusterStatus(**{"id": cluster.id, **fields})
            tx.put(eks.CLUSTER_STATUS, *place, status)

        await self.plane.store.transact(write)

    async def end_updates(self, name: str, status: str = "Successful") -> None:
        """The same of all updates of the cluster and of its parts."""

        def write(tx: Any) -> None:
            for update in tx.scan(eks.UPDATE, ACCOUNT, REGION, prefix=eks.update_name(name, "")):
                ended = msgspec.structs.replace(update.value, status=status)
                tx.put(eks.UPDATE, ACCOUNT, REGION, update.key.name, ended)

        await self.plane.store.transact(write)

    async def copy_cluster(self, name: str, count: int) -> None:
        """More clusters like this one."""

        def write(tx: Any) -> None:
            cluster = tx.get(eks.CLUSTER, ACCOUNT, REGION, name).value
            for number in range(count):
                other = msgspec.structs.replace(cluster, name=f"{name}-{number}", client_token="")
                tx.put(eks.CLUSTER, ACCOUNT, REGION, other.name, other)

        await self.plane.store.transact(write)


@contextlib.asynccontextmanager
async def running(data_dir: Path, runtime: str = "containerd") -> AsyncIterator[Clusters]:
    installation = Installation(
        data_dir=data_dir, port=free_ports(2), account=ACCOUNT, runtime=runtime
    )
    clock, ids = SystemClock(), RandomIds()
    store = await open_store(f"sqlite://{data_dir}/state.db", KINDS, clock)
    await store.transact(lambda tx: ensure_sealing_key(tx, ids))
    administrator = await store.transact(
        lambda tx: ensure_administrator(tx, ACCOUNT, ids, clock.now())
    )
    vpc = await store.transact(lambda tx: create_default_vpc(tx, ACCOUNT, REGION, ids))
    gateway = Gateway(
        services=[
            eks_room.service(),
            eks_auth.service(),
            iam.service(),
            sts.service(),
            ec2.service(),
            kms.service(Sealer.load_or_create(data_dir / "sealing.key")),
        ],
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
            clusters = Clusters(plane=Plane(url, store, administrator, stack), vpc=vpc.id)
            clusters.role = (await clusters.plane.role("eks", EKS))["Arn"]
            found = (await clusters.ec2("describe_subnets"))["Subnets"]
            zones = {each["AvailabilityZone"]: each["SubnetId"] for each in found}
            clusters.subnets = tuple(zones[zone] for zone in sorted(zones))
            yield clusters
        finally:
            await gateway.stop()
            await store.close()
