"""The loop: one key for each load balancer."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from longshore.balancing import users_of
from longshore.base.hosts_file import forget_names, have_names
from longshore.base.logs import logger
from longshore.controllers.interface import Surroundings
from longshore.controllers.load_balancer import proxy, records
from longshore.controllers.load_balancer import task as tasks
from longshore.controllers.load_balancer.health import fit_zones, health_of
from longshore.controllers.load_balancer.proxy import Seen
from longshore.controllers.load_balancer.scene import Scene, scene_of
from longshore.controllers.own_images import OwnImages
from longshore.model.ecs import TASK, Task
from longshore.model.eks import SYSTEM_ACCOUNT
from longshore.model.elbv2 import (
    LISTENER,
    LOAD_BALANCER,
    TARGET_GROUP,
    TARGET_HEALTH,
    Health,
    LoadBalancer,
    Node,
)
from longshore.model.errors import AwsError
from longshore.model.instances import INSTANCE_STATUS
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader, Transaction

LOOK_SECONDS = 1.0
"""How often HAProxies are asked how targets are."""
SOON_SECONDS = 0.2
"""How often while one is starting or taking a configuration over."""
BOOT_AGAIN_SECONDS = 5.0
"""The least time from one start of a node that ends by itself to the next."""
ROOM_AGAIN_SECONDS = 15.0
FAILED_TO_START = "TaskFailedToStart"
log = logger(__name__)


class LoadBalancerController:
    """`longshore.controllers.interface.Controller` of every load balancer."""

    name = "controllers/load_balancer"
    watched: Collection[Kind[Any]] = (LOAD_BALANCER, LISTENER, TARGET_GROUP, TASK, INSTANCE_STATUS)

    def __init__(self, surroundings: Surroundings, images: OwnImages) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._ids = surroundings.ids
        self._installation = surroundings.installation
        self._images = images
        self._named: dict[Key, str] = {}

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        key, record = change.key, change.after or change.before
        value: Any = record.value if record is not None else None
        names: Iterable[str] = ()
        if key.kind == LOAD_BALANCER.name:
            names = [key.name]
        elif key.kind == LISTENER.name:
            names = [value.load_balancer]
        elif key.kind == TARGET_GROUP.name:
            names = users_of(reader, key.account, key.region, key.name)
        elif key.kind == INSTANCE_STATUS.name:
            found = reader.scan(LOAD_BALANCER, key.account, key.region)
            names = [record.key.name for record in found]
        elif key.account == SYSTEM_ACCOUNT:
            owner = records.balancer_of(value, key.region)
            return [owner] if owner is not None else []
        return [Key(LOAD_BALANCER.name, key.account, key.region, name) for name in names]

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(LOAD_BALANCER)]

    async def reconcile(self, key: Key) -> float | None:
        record = self._store.reader.get(LOAD_BALANCER, key.account, key.region, key.name)
        if record is None:
            return None
        balancer = record.value
        try:
            nodes = await self._have_nodes(key)
        except AwsError as error:
            # In EC2's words: what the user's VPC has not got for it.
            await self._put_status(key, state="failed", reason=error.message)
            return ROOM_AGAIN_SECONDS
        if balancer.deleted_at:
            return await self._take_away(key, balancer, nodes)
        scene = scene_of(self._store.reader, key, balancer)
        versions = await self._write(balancer, scene, nodes)
        again = await self._boot(key, balancer, nodes)
        seen = await self._look(balancer, nodes)
        ready = [node.subnet_id for node in nodes if _is_ready(node, versions, seen)]
        health = await self._tell(key, scene, nodes, seen)
        await self._show(key, ready)
        await self._lead(key, balancer, scene, health)
        if again is not None:
            return again
        return LOOK_SECONDS if len(ready) == len(nodes) else SOON_SECONDS

    async def _have_nodes(self, key: Key) -> tuple[Node, ...]:
        ids, now, installation = self._ids, self._clock.now(), self._installation
        return await self._store.transact(
            lambda tx: records.have_nodes(tx, ids, now, installation, key)
        )

    async def _put_status(self, key: Key, **changes: Any) -> None:
        await self._store.transact(lambda tx: records.put_status(tx, key, **changes))

    def _files(self, balancer: LoadBalancer, node: Node) -> Path:
        return proxy.home(self._installation, balancer.id) / node.subnet_id

    async def _write(
        self, balancer: LoadBalancer, scene: Scene, nodes: Sequence[Node]
    ) -> dict[str, str]:
        """Have the nodes' files; the versions of their configurations by subnet."""
        return {
            node.subnet_id: await asyncio.to_thread(
                proxy.write, self._files(balancer, node), scene, node.zone
            )
            for node in nodes
        }

    async def _boot(self, key: Key, balancer: LoadBalancer, nodes: Sequence[Node]) -> float | None:
        """Have a task for every node; seconds after which to look again, where one has to wait."""
        again = None
        for node in nodes:
            task = records.task_of(self._store.reader, key, node)
            if task is not None and task.last_status != "STOPPED":
                continue
            if task is not None and task.stop is not None and task.stop.code == FAILED_TO_START:
                await self._put_status(key, reason=task.stop.reason)
            left = _patience(task, self._clock.now())
            if left > 0:
                again = left
                continue
            try:
                reference = await tasks.have_image(self._images, key.region)
            except LookupError as failure:
                await self._put_status(key, reason=str(failure))
                return ROOM_AGAIN_SECONDS
            document = tasks.document(
                balancer, node.subnet_id, reference, self._files(balancer, node)
            )
            await self._stage_boot(key, node, document)
        return again

    async def _stage_boot(self, key: Key, node: Node, document: Mapping[str, Any]) -> None:
        ids, now = self._ids, self._clock.now()
        await self._store.transact(lambda tx: records.boot(tx, ids, now, key, node, document))

    async def _look(self, balancer: LoadBalancer, nodes: Sequence[Node]) -> dict[str, Seen]:
        """What the nodes' HAProxies say, by subnet."""
        return {
            node.subnet_id: await asyncio.to_thread(proxy.look, self._files(balancer, node))
            for node in nodes
        }

    async def _tell(
        self, key: Key, scene: Scene, nodes: Sequence[Node], seen: Mapping[str, Seen]
    ) -> dict[str, dict[str, Health]]:
        """Write how targets are; the same by the ARNs of their groups."""
        checks = {node.zone: seen[node.subnet_id].checks for node in nodes}
        now = self._clock.now()

        def stage(tx: Transaction) -> dict[str, dict[str, Health]]:
            found: dict[str, dict[str, Health]] = {}
            for route in scene.routes:
                group = route.listener.target_group
                record = tx.get(TARGET_HEALTH, key.account, key.region, group)
                before = record.value.targets if record is not None else {}
                found[route.group.arn] = health_of(scene, route, checks, before)
                records.put_health(tx, key, group, found[route.group.arn])
                records.end_draining(tx, key, route, now)
            return found

        return await self._store.transact(stage)

    async def _show(self, key: Key, ready: Sequence[str]) -> None:
        """The load balancer is active once all of its nodes have been ready."""

        def stage(tx: Transaction) -> None:
            status = records.status_of(tx, key)
            nodes = tuple(
                msgspec.structs.replace(node, ready=node.subnet_id in ready)
                for node in status.nodes
            )
            changes: dict[str, Any] = {"nodes": nodes}
            if nodes and all(node.ready for node in nodes):
                changes |= {"state": "active", "reason": ""}
            records.put_status(tx, key, **changes)

        await self._store.transact(stage)

    async def _lead(
        self,
        key: Key,
        balancer: LoadBalancer,
        scene: Scene,
        health: Mapping[str, Mapping[str, Health]],
    ) -> None:
        """Have the name lead to the nodes that can serve."""
        nodes = records.status_of(self._store.reader, key).nodes
        able = [node for node in nodes if node.ready] or list(nodes)
        fit = fit_zones(scene, [node.zone for node in able], health)
        addresses = [
            node.public_address or node.private_address for node in able if node.zone in fit
        ]
        if not addresses:
            return
        await self._store.transact(lambda tx: records.lead_name(tx, key, balancer, addresses))
        if self._named.get(key) != addresses[0]:
            names = {balancer.dns_name: addresses[0]}
            await asyncio.to_thread(have_names, self._installation, names)
            self._named[key] = addresses[0]

    async def _take_away(
        self, key: Key, balancer: LoadBalancer, nodes: Sequence[Node]
    ) -> float | None:
        """What is left goes once the tasks have ended, which calls for the key again."""
        if nodes:
            return None
        self._named.pop(key, None)
        await asyncio.to_thread(forget_names, self._installation, [balancer.dns_name])
        await asyncio.to_thread(proxy.forget, proxy.home(self._installation, balancer.id))
        await self._store.transact(lambda tx: records.forget(tx, key, balancer))
        log.info("a load balancer was deleted", load_balancer=balancer.arn)
        return None


def _is_ready(node: Node, versions: Mapping[str, str], seen: Mapping[str, Seen]) -> bool:
    return seen[node.subnet_id].version == versions[node.subnet_id]


def _patience(task: Task | None, now: float) -> float:
    """Seconds to wait before a node whose last task was this one is started again."""
    if task is None:
        return 0.0
    return task.created_at + BOOT_AGAIN_SECONDS - now
