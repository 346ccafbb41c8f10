"""The loop: one key for each cluster."""

from collections.abc import Collection, Iterable
from typing import Any

from longshore.base.logs import logger
from longshore.controllers.cluster_clients import ClusterClients
from longshore.controllers.eks_insights import due, look, records
from longshore.controllers.eks_insights.checks import insights
from longshore.controllers.eks_insights.facts import Facts
from longshore.controllers.eks_insights.uses import counted
from longshore.controllers.interface import Surroundings
from longshore.kubernetes.client import Client, Refused
from longshore.model.eks import CLUSTER, CLUSTER_STATUS
from longshore.model.eks_insights import INSIGHTS_REPORT, INSIGHTS_REQUEST, InsightsReport
from longshore.model.kind import Kind
from longshore.store.interface import Change, Key, Reader

log = logger(__name__)


class EksInsights:
    """`longshore.controllers.interface.Controller` of clusters' insights."""

    name = "controllers/eks_insights"
    watched: Collection[Kind[Any]] = (CLUSTER, CLUSTER_STATUS, INSIGHTS_REQUEST)

    def __init__(self, surroundings: Surroundings, clients: ClusterClients) -> None:
        self._store = surroundings.store
        self._clock = surroundings.clock
        self._clients = clients

    def keys(self, change: Change, reader: Reader) -> Iterable[Key]:
        key = change.key
        yield Key(CLUSTER.name, key.account, key.region, key.name)

    def every_key(self, reader: Reader) -> Iterable[Key]:
        """Also those of clusters that went while nobody looked."""
        kinds: tuple[Kind[Any], ...] = (CLUSTER, INSIGHTS_REPORT, INSIGHTS_REQUEST)
        found = (record.key for kind in kinds for record in reader.scan(kind))
        return {Key(CLUSTER.name, key.account, key.region, key.name) for key in found}

    async def reconcile(self, key: Key) -> float | None:
        found = records.known(self._store.reader, key)
        if found is None:
            await self._store.transact(lambda tx: records.forget(tx, key))
            return None
        runs, now = found.status.version, self._clock.now()
        seconds = due.wait(found.report, found.request, runs, now)
        if seconds:
            return seconds
        client = await self._clients.client(key)
        try:
            if client is None:
                raise ConnectionError("no control plane of the cluster runs")
            report = await self._refresh(key, found, client)
        except (OSError, Refused) as failure:
            return await self._put_off(key, found, failure)
        await self._store.transact(lambda tx: records.put(tx, key, report))
        return due.wait(report, found.request, runs, now) or due.AGAIN_SECONDS

    async def _refresh(self, key: Key, found: records.Known, client: Client) -> InsightsReport:
        reader, runs = self._store.reader, found.status.version
        nodes, proxies = await look.nodes(client), await look.proxies(client)
        asked = await look.uses(client)
        now, before = self._clock.now(), found.report or InsightsReport(id=found.cluster.id)
        facts = Facts(
            cluster=found.cluster,
            runs=runs,
            issues=found.status.issues,
            nodes=nodes,
            proxies=proxies,
            addons=records.addons_of(reader, key),
            uses=counted(before.uses, asked, now),
            before=records.rollback_version(reader, key, runs, now),
        )
        told = insights(facts, before.insights, now)
        log.info(
            "insights were refreshed",
            cluster=found.cluster.arn,
            wrong=[each.name for each in told if each.status != "PASSING"],
        )
        return InsightsReport(
            id=found.cluster.id,
            version=runs,
            refreshed_at=now,
            insights=told,
            uses=facts.uses,
            answers=found.request.asked_at if found.request is not None else 0.0,
            ended_at=now,
        )

    async def _put_off(self, key: Key, found: records.Known, failure: Exception) -> float:
        """Nobody answers: somebody who waits for it is told in time."""
        now = self._clock.now()
        if due.has_failed(found.report, found.request, now):
            said = f"The cluster did not answer: {failure}"
            await self._store.transact(lambda tx: records.fail(tx, key, found, said, now))
        log.info("a cluster's insights wait", cluster=found.cluster.arn, reason=str(failure))
        return due.AGAIN_SECONDS if due.is_asked(found.report, found.request) else due.LATER_SECONDS
