"""Which logs of its control plane a cluster has ("Send control plane logs to CloudWatch Logs",
Amazon EKS User Guide)."""

from collections.abc import Iterable, Mapping
from typing import Any

from longshore.model.eks import LOG_STREAMS
from longshore.services.eks.failures import invalid_parameter


def enabled_types(before: Iterable[str], logging: Any, cluster: str) -> tuple[str, ...]:
    """The types that are enabled once `logging` is heeded, which says nothing of the others.

    InvalidParameterException where it says both of one.
    """
    said: dict[str, bool] = dict.fromkeys(before, True)
    setups = [setup for setup in logging.get("clusterLogging") or () if "enabled" in setup]
    asked = {flag: _types(setups, enabled=flag) for flag in (True, False)}
    for kind in sorted(asked[True] & asked[False]):
        raise invalid_parameter(
            f"The log type {kind} cannot be enabled and disabled at once", cluster
        )
    said |= dict.fromkeys(asked[True], True) | dict.fromkeys(asked[False], False)
    return tuple(kind for kind in LOG_STREAMS if said.get(kind))


def _types(setups: Iterable[Mapping[str, Any]], *, enabled: bool) -> set[str]:
    return {kind for each in setups if each["enabled"] is enabled for kind in each.get("types", ())}


def logging_shape(enabled: Iterable[str]) -> dict[str, Any]:
    """A `Logging`: the types that are enabled, and those that are not."""
    parts = {True: list(enabled), False: [kind for kind in LOG_STREAMS if kind not in enabled]}
    shown = [{"types": types, "enabled": flag} for flag, types in parts.items() if types]
    return {"clusterLogging": shown}
