"""The loop of managed add-ons: one key for each."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from longshore.addons import ADDONS, Settings
from longshore.addons import Addon as Definition
from longshore.addons.configuration import Unsupported, checked
from longshore.base.logs import logger
from longshore.components import InstallFailed
from longshore.controllers.cluster_clients import ClusterClients, running_cluster
from longshore.controllers.eks_addons import installing, records, steps
from longshore.controllers.eks_addons.images import AddonImages
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.client import Client, Refused
from longshore.model.eks import CLUSTER, Cluster, ClusterStatus, Issue
from longshore.model.eks_parts import ADDON, Addon, AddonStatus
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader

LATER_SECONDS = 60.0
log = logger(__name__)


class EksAddons:
    """`longshore.controllers.interface.Controller` of every managed add-on."""

    name = "controllers/eks_addons"
    watched: Collection[Kind[Any]] = (ADDON,)

    def __init__(
        self, surroundings: Surroundings, clients: ClusterClients, images: AddonImages
    ) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._clients = clients
        self._images = images

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        if change.after is not None:
            yield change.key

    def every_key(self, reader: Reader) -> Iterable[Key]:
        return [record.key for record in reader.scan(ADDON)]

    async def reconcile(self, key: Key) -> float | None:
        record = self._store.reader.get(ADDON, key.account, key.region, key.name)
        if record is None:
            return None
        addon = record.value
        place = Key(CLUSTER.name, key.account, key.region, addon.cluster)
        running = running_cluster(self._store.reader, place)
        client = await self._clients.client(place) if running is not None else None
        if running is None or client is None:
            return steps.SOON_SECONDS
        try:
            return await self._act(key, addon, client, *running)
        except OSError as failure:
            log.info("a cluster does not answer", addon=addon.arn, reason=str(failure))
            return steps.SOON_SECONDS

    async def _act(
        self, key: Key, addon: Addon, client: Client, cluster: Cluster, runs: ClusterStatus
    ) -> float | None:
        status = records.status_of(self._store.reader, key, addon)
        if addon.deleted_at:
            await self._take_away(key, addon, client, cluster, runs)
            return None
        if steps.is_due(addon, status):
            return await self._apply(key, addon, status, client, cluster, runs)
        if status.status in steps.FAILED:
            return None
        wrong = await self._look(client, ADDONS[addon.name])
        return await self._put(key, addon, steps.looked(status, wrong, self._clock.now()))

    async def _look(self, client: Client, definition: Definition) -> Issue | None:
        """What is wrong with its pods."""
        for workload in (definition.workload, definition.further_workload):
            wrong = await installing.look(client, workload) if workload else None
            if wrong is not None:
                return wrong
        return None

    async def _apply(
        self,
        key: Key,
        addon: Addon,
        status: AddonStatus,
        client: Client,
        cluster: Cluster,
        runs: ClusterStatus,
    ) -> float | None:
        updating = not steps.is_new(status)
        status = steps.begun(status)
        await self._put(key, addon, steps.Outcome(status))
        definition = ADDONS[addon.name]
        try:
            objects = await self._objects(key, addon, definition, cluster, runs)
        except (InstallFailed, LookupError) as failure:
            log.warning("an add-on's image was not made", addon=addon.arn, reason=str(failure))
            await self._put(key, addon, steps.Outcome(steps.held_up(status, str(failure))))
            return LATER_SECONDS
        mode = addon.resolve_conflicts
        try:
            found = await installing.install(client, objects, mode, updating=updating)
        except Refused as refused:
            wrong = Issue("AdmissionRequestDenied", refused.message)
            return await self._put(key, addon, steps.failed(addon, status, wrong))
        if found:
            wrong = steps.conflicting(found)
            return await self._put(key, addon, steps.failed(addon, status, wrong))
        return await self._put(key, addon, steps.applied(addon, status, self._clock.now()))

    async def _objects(
        self,
        key: Key,
        addon: Addon,
        definition: Definition,
        cluster: Cluster,
        runs: ClusterStatus,
    ) -> list[dict[str, Any]]:
        """Raises `InstallFailed` and LookupError where its image cannot be made."""
        version = definition.version_named(addon.version)
        if version is None:
            raise LookupError(f"Longshore has no {addon.name} {addon.version} any more")
        reference = await self._images.have(key.region, definition, version)
        settings = settings_of(cluster, runs, reference, addon.service_account_role_arn)
        return definition.objects(settings, configuration(addon, definition))

    async def _take_away(
        self, key: Key, addon: Addon, client: Client, cluster: Cluster, runs: ClusterStatus
    ) -> None:
        if not addon.preserve:
            definition = ADDONS[addon.name]
            settings = settings_of(cluster, runs, image="")
            objects = definition.objects(settings, configuration(addon, definition))
            await installing.remove(client, objects)
        await self._store.transact(lambda tx: records.forget(tx, key, addon))
        log.info("an add-on was deleted", addon=addon.arn, preserved=addon.preserve)

    async def _put(self, key: Key, addon: Addon, outcome: steps.Outcome) -> float | None:
        await self._store.transact(lambda tx: records.put(tx, key, addon, outcome))
        return steps.again(outcome.status)


def settings_of(
    cluster: Cluster, status: ClusterStatus, image: str, role_arn: str = ""
) -> Settings:
    return Settings(
        image=image,
        endpoint=status.endpoint,
        service_cidr=cluster.service_cidr,
        role_arn=role_arn,
        cluster=cluster.name,
    )


def configuration(addon: Addon, definition: Definition) -> Mapping[str, Any]:
    """The add-on's configuration; what this version of Longshore does not know is passed over."""
    try:
        return checked(addon.configuration_values, definition.schema)
    except Unsupported as failure:
        log.warning("an add-on's configuration was passed over", addon=addon.arn, why=str(failure))
        return {}
