"""A node group over a store in memory, with Auto Scaling; machines and the cluster are played."""

import base64
import json
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import msgspec
from integration.controllers.played_cluster import PlayedCluster
from integration.controllers.played_groups import ACCOUNT, PLACE, REGION, play_machines, put_host

from longshore.base.ids import SeededIds
from longshore.base.installation import Installation
from longshore.controllers.auto_scaling.controller import AutoScaling
from longshore.controllers.cluster_clients import ClusterClients
from longshore.controllers.eks_nodegroup import EksNodegroup
from longshore.controllers.interface import Surroundings
from longshore.instances import machine_images
from longshore.kubernetes.access import Access
from longshore.model import eks, iam
from longshore.model.auto_scaling import AUTO_SCALING_GROUP, MEMBER, AutoScalingGroup, Member
from longshore.model.ec2 import SECURITY_GROUP, SUBNET, SecurityGroup
from longshore.model.eks_parts import (
    NODEGROUP,
    NODEGROUP_STATUS,
    Nodegroup,
    NodegroupStatus,
    part_name,
)
from longshore.model.instances import INSTANCE, LAUNCH_TEMPLATE, Instance, LaunchTemplate
from longshore.policy.trust import service_trust
from longshore.store.interface import Key, Store, Transaction
from longshore.testing.clock import FakeClock
from longshore.testing.memory_store import MemoryStore
from longshore.vpc import create_default_vpc
from longshore.vpc.zones import private_dns_name

NAME = part_name("web", "ng")
KEY = Key(NODEGROUP.name, *PLACE, NAME)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/node"
ENDPOINT = "https://ABC.gr7.us-east-1.eks.longshore.internal"
EFFECTS = frozenset({"NoSchedule", "NoExecute", "PreferNoSchedule"})
MANY_TURNS = 200


class Nodegroups:
    """The node group `ng` of the cluster `web`.

    `joins` says whether its instances become nodes, `memory` how many MiB the only host has.
    """

    def __init__(self, directory: Path, cluster: PlayedCluster) -> None:
        self.store: Store = MemoryStore()
        self.clock = FakeClock()
        self.ids = SeededIds(3)
        self.cluster = cluster
        self.joins = True
        self.subnets: tuple[str, ...] = ()
        self.memory = 64 * 1024
        self._surroundings = Surroundings(
            store=self.store,
            clock=self.clock,
            ids=self.ids,
            installation=Installation(data_dir=directory),
        )
        self._groups = AutoScaling(self._surroundings)
        self.clients = ClusterClients(self._access)
        self.controller = EksNodegroup(self._surroundings, self.clients)

    async def _access(self, account: str, region: str, name: str) -> Access | None:
        assert (account, region, name) == (*PLACE, "web")
        return self.cluster.access

    def close(self) -> None:
        self.clients.forget(Key(eks.CLUSTER.name, *PLACE, "web"))

    async def begin(self, mode: str = "API", **fields: Any) -> None:
        """Ask for the node group; without more it is to have two nodes."""

        def make(tx: Transaction) -> None:
            self._make_cluster(tx, mode)
            self._ask(tx, fields)

        await self.store.transact(make)
        await self.settle()

    def _make_cluster(self, tx: Transaction, mode: str) -> None:
        vpc = create_default_vpc(tx, ACCOUNT, REGION, SeededIds(7))
        put_host(tx, self.memory)
        self.subnets = tuple(r.value.id for r in tx.find(SUBNET, *PLACE, "vpc", vpc.id))
        group = SecurityGroup(id="sg-cluster", vpc_id=vpc.id, name="c", description="c")
        tx.put(SECURITY_GROUP, *PLACE, group.id, group)
        role = iam.Role(
            name="node",
            path="/",
            id="AROANODE",
            arn=ROLE,
            created_at=0.0,
            trust=service_trust("ec2.amazonaws.com"),
        )
        tx.put(iam.ROLE, ACCOUNT, "", "node", role)
        cluster = eks.Cluster(
            name="web",
            arn=eks.cluster_arn(REGION, ACCOUNT, "web"),
            id="A" * 32,
            version="1.35",
            role_arn=ROLE,
            created_at=0.0,
            created_by=ROLE,
            vpc_id=vpc.id,
            subnets=self.subnets,
            service_cidr="10.100.0.0/16",
            authentication_mode=mode,
        )
        status = eks.ClusterStatus(
            id=cluster.id,
            status="ACTIVE",
            version="1.35",
            endpoint=ENDPOINT,
            authority="CERTIFICATE",
            security_group=group.id,
        )
        tx.put(eks.CLUSTER, *PLACE, "web", cluster)
        tx.put(eks.CLUSTER_STATUS, *PLACE, "web", status)

    def _ask(self, tx: Transaction, fields: dict[str, Any]) -> None:
        name = fields.get("name", "ng")
        usual = {
            "cluster": "web",
            "name": name,
            "arn": f"arn:{name}",
            "id": f"0000000{len(tx.scan(NODEGROUP))}-0000-4000-8000-000000000000",
            "version": "1.35",
            "release_version": release("1.35"),
            "created_at": self.clock.now(),
            "modified_at": self.clock.now(),
            "node_role": ROLE,
            "subnets": self.subnets,
            "min_size": 0,
            "max_size": 5,
            "desired_size": 2,
            "instance_types": ("t3.medium",),
        }
        nodegroup = Nodegroup(**{**usual, **fields})
        tx.put(NODEGROUP, *PLACE, part_name("web", name), nodegroup)

    async def ask(self, **fields: Any) -> None:
        """Ask for another one."""
        await self.store.transact(lambda tx: self._ask(tx, fields))
        await self.settle()

    def restart(self) -> None:
        """Longshore's process is another one."""
        self._groups = AutoScaling(self._surroundings)
        self.controller = EksNodegroup(self._surroundings, self.clients)

    async def turn(self) -> None:
        """One look at everything."""
        for record in self.store.reader.scan(NODEGROUP):
            await self.controller.reconcile(record.key)
        for record in self.store.reader.scan(AUTO_SCALING_GROUP):
            await self._groups.reconcile(record.key)
        await self.store.transact(lambda tx: play_machines(tx, self.clock.now()))
        self._play_nodes()

    async def settle(self) -> None:
        """Turn until nothing changes any more."""
        for _ in range(MANY_TURNS):
            before = self._known()
            await self.turn()
            if self._known() == before:
                return
        raise AssertionError("the node group does not come to rest")

    def _known(self) -> tuple[int, str]:
        said = json.dumps([self.cluster.nodes, self.cluster.pods], sort_keys=True)
        return self.store.revision, said

    async def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.settle()

    def _play_nodes(self) -> None:
        """Running instances are nodes of what they were told; others are none."""
        running = {each.id: each for each in self.instances if each.wanted == "running"}
        for name, node in list(self.cluster.nodes.items()):
            instance = node["spec"]["providerID"].rpartition("/")[2]
            if instance not in running:
                del self.cluster.nodes[name]
                for pod in [p for p, each in self.cluster.pods.items() if on(each) == name]:
                    del self.cluster.pods[pod]
        for instance in running.values() if self.joins else ():
            if node_name(instance) not in self.cluster.nodes:
                labels, taints = told(instance.user_data)
                self.cluster.join(node_name(instance), instance.id, labels, taints)

    @property
    def instances(self) -> list[Instance]:
        return [record.value for record in self.store.reader.scan(INSTANCE, *PLACE)]

    @property
    def running(self) -> list[Instance]:
        return [each for each in self.instances if each.wanted == "running"]

    def get(self, kind: Any, name: str) -> Any:
        record = self.store.reader.get(kind, *PLACE, name)
        return record.value if record is not None else None

    @property
    def asked(self) -> Nodegroup:
        found: Nodegroup = self.get(NODEGROUP, NAME)
        return found

    @property
    def status(self) -> NodegroupStatus:
        found: NodegroupStatus = self.get(NODEGROUP_STATUS, NAME)
        return found

    @property
    def group(self) -> AutoScalingGroup:
        found: AutoScalingGroup = self.get(AUTO_SCALING_GROUP, self.status.group)
        return found

    @property
    def members(self) -> list[Member]:
        found = self.store.reader.find(MEMBER, *PLACE, "group", self.status.group)
        return [record.value for record in found]

    @property
    def template(self) -> LaunchTemplate:
        found: LaunchTemplate = self.get(LAUNCH_TEMPLATE, self.status.launch_template_id)
        return found

    @property
    def data(self) -> dict[str, Any]:
        """Of the newest version of the launch template."""
        return self.template.versions[-1].data

    async def change(self, **fields: Any) -> None:
        """Change the node group as the API would."""
        changed = msgspec.structs.replace(self.asked, **fields)
        await self.store.transact(lambda tx: tx.put(NODEGROUP, *PLACE, NAME, changed))

    async def update(self, kind: str, *params: tuple[str, str], **fields: Any) -> str:
        """The same by an update; its id. Nothing has come of it yet."""
        update = eks.Update(
            cluster="web",
            nodegroup="ng",
            id=self.ids.uuid(),
            type=kind,
            params=params,
            created_at=self.clock.now(),
        )
        await self.change(**fields)
        name = eks.update_name("web", update.id)
        await self.store.transact(lambda tx: tx.put(eks.UPDATE, *PLACE, name, update))
        return update.id

    async def upgrade(self, **fields: Any) -> str:
        """An update to 1.36."""
        release_version = release("1.36")
        return await self.update(
            "VersionUpdate", version="1.36", release_version=release_version, **fields
        )

    def updated(self, update_id: str) -> eks.Update:
        found: eks.Update = self.get(eks.UPDATE, eks.update_name("web", update_id))
        return found


def release(version: str) -> str:
    return image(version).release_version


def image(version: str) -> Any:
    return next(each for each in machine_images(REGION) if each.kubernetes == version)


def node_name(instance: Instance) -> str:
    return private_dns_name(instance.private_address, REGION)


def on(pod: dict[str, Any]) -> str:
    return str(pod["spec"]["nodeName"])


def parts(user_data: str) -> list[tuple[str, str]]:
    """(content type, content) of a MIME multi-part archive."""
    message = BytesParser().parsebytes(base64.b64decode(user_data))
    assert message.is_multipart(), message
    return [(p.get_content_type(), p.get_payload()) for p in message.get_payload()]


def node_config(user_data: str) -> dict[str, Any]:
    """EKS's own, which comes last."""
    kind, content = parts(user_data)[-1]
    assert kind == "application/node.eks.aws"
    found: dict[str, Any] = json.loads(content)
    return found


def told(user_data: str) -> tuple[dict[str, str], tuple[dict[str, str], ...]]:
    """Labels and taints that a node of this user data has."""
    flags = dict(flag.split("=", 1) for flag in node_config(user_data)["spec"]["kubelet"]["flags"])
    labels = dict(pair.split("=", 1) for pair in flags["--node-labels"].split(","))
    return labels, tuple(map(_taint, flags.get("--register-with-taints", "").split(","))) * (
        "--register-with-taints" in flags
    )


def _taint(text: str) -> dict[str, str]:
    if not text:
        return {}
    named, _, effect = text.rpartition(":")
    assert effect in EFFECTS, text
    key, _, value = named.partition("=")
    taint = {"key": key, "effect": effect}
    return {**taint, "value": value} if value else taint
