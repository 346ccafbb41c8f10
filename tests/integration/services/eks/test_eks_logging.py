"""Logs of control planes as they are asked for and shown."""

import json
from typing import Any

from integration.services.eks.eks_plane import Clusters

ALL = ["api", "audit", "authenticator", "controllerManager", "scheduler"]


def setups(**types: list[str]) -> dict[str, Any]:
    """A `Logging`: what is on and what is off."""
    flags = {"on": True, "off": False}
    return {"clusterLogging": [{"types": types[key], "enabled": flags[key]} for key in types]}


async def update(clusters: Clusters, logging: dict[str, Any]) -> Any:
    return (await clusters.call("update_cluster_config", name="web", logging=logging))["update"]


async def running(clusters: Clusters, **asked: Any) -> Any:
    made = await clusters.create("web", **asked)
    await clusters.become("web", status="ACTIVE", version=made["version"])
    return made


async def test_a_cluster_has_no_logs_unless_asked(clusters: Clusters) -> None:
    made = await running(clusters)
    assert made["logging"] == setups(off=ALL)


async def test_a_new_cluster_has_the_logs_that_it_asks_for(clusters: Clusters) -> None:
    made = await running(clusters, logging=setups(on=["scheduler", "audit"]))
    shown = setups(on=["audit", "scheduler"], off=["api", "authenticator", "controllerManager"])
    assert made["logging"] == shown
    assert (await clusters.describe("web"))["logging"] == shown


async def test_an_update_changes_the_types_that_it_names(clusters: Clusters) -> None:
    await running(clusters, logging=setups(on=["api", "audit"]))
    asked = setups(on=["scheduler"], off=["api"])
    made = await update(clusters, asked)
    assert (made["type"], made["status"]) == ("LoggingUpdate", "InProgress")
    (param,) = made["params"]
    assert (param["type"], json.loads(param["value"])) == ("ClusterLogging", asked)
    shown = setups(on=["audit", "scheduler"], off=["api", "authenticator", "controllerManager"])
    assert (await clusters.describe("web"))["logging"] == shown


async def test_all_types_are_shown_as_one_set(clusters: Clusters) -> None:
    made = await running(clusters, logging=setups(on=ALL))
    assert made["logging"] == setups(on=ALL)


async def test_a_type_is_not_enabled_and_disabled_at_once(clusters: Clusters) -> None:
    both = setups(on=["api", "audit"], off=["audit"])
    refused = await clusters.refused(logging=both)
    assert refused == (
        "InvalidParameterException",
        "The log type audit cannot be enabled and disabled at once",
    )
    assert (await clusters.call("list_clusters"))["clusters"] == []


async def test_an_unknown_type_is_refused(clusters: Clusters) -> None:
    code, _ = await clusters.refused(logging=setups(on=["etcd"]))
    assert code == "InvalidParameterException"


async def test_an_update_without_a_change_is_refused(clusters: Clusters) -> None:
    await running(clusters, logging=setups(on=["api"]))
    for asked in (setups(on=["api"]), setups(off=["audit"]), setups()):
        code, message = await clusters.error("update_cluster_config", name="web", logging=asked)
        assert (code, message) == (
            "InvalidParameterException",
            "No changes needed for the logging config provided",
        )
