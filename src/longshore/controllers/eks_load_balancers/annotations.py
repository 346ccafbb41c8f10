"""What a Service's annotations ask for; pure.

("Route TCP and UDP traffic with Network Load Balancers", Amazon EKS User Guide; the annotations of
the AWS Load Balancer Controller.) Those that are not named here are ignored.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from longshore.model.elbv2 import HealthCheck

PREFIX = "service.beta.kubernetes.io/aws-load-balancer-"
TARGET_TYPES = {"instance": "instance", "ip": "ip"}
CHECKS = {
    "healthcheck-interval": ("interval", 5, 300),
    "healthcheck-timeout": ("timeout", 2, 120),
    "healthcheck-healthy-threshold": ("healthy_threshold", 2, 10),
    "healthcheck-unhealthy-threshold": ("unhealthy_threshold", 2, 10),
}
"""Fields of `HealthCheck` that are numbers, by annotation, and what they may be."""
ATTRIBUTES = {
    "load_balancing.cross_zone.enabled": ("true", "false"),
    "deletion_protection.enabled": ("true", "false"),
}
USUAL_CHECK = HealthCheck(interval=10, timeout=10, healthy_threshold=3, unhealthy_threshold=3)


class Unsupported(Exception):
    """What the Service asks for there is not; the message says so to whoever reads its events."""


def read(service: Mapping[str, Any], name: str) -> str:
    """An annotation by what follows the prefix; empty where there is none."""
    annotations = service["metadata"].get("annotations") or {}
    return str(annotations.get(PREFIX + name, ""))


def listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def pairs(text: str) -> dict[str, str]:
    """`a=b,c=d` as a mapping."""
    found = (each.partition("=") for each in listed(text))
    return {key.strip(): value.strip() for key, _, value in found}


def scheme_of(service: Mapping[str, Any]) -> str:
    """Internal by default where the Service was written for the AWS Load Balancer Controller."""
    stated = read(service, "scheme")
    if stated:
        if stated not in {"internal", "internet-facing"}:
            raise Unsupported(f"unknown scheme: {stated}")
        return stated
    if read(service, "internal") in {"true", "0.0.0.0/0"}:
        return "internal"
    external = read(service, "type") in {"external", "nlb-ip"}
    newer = external or bool(service["spec"].get("loadBalancerClass"))
    return "internal" if newer else "internet-facing"


def target_type_of(service: Mapping[str, Any]) -> str:
    stated = read(service, "nlb-target-type") or (
        "ip" if read(service, "type") == "nlb-ip" else "instance"
    )
    if stated not in TARGET_TYPES:
        raise Unsupported(f"unknown target type: {stated}")
    return stated


def attributes_of(service: Mapping[str, Any]) -> dict[str, str]:
    found = pairs(read(service, "attributes"))
    if read(service, "cross-zone-load-balancing-enabled"):
        crossing = read(service, "cross-zone-load-balancing-enabled")
        found["load_balancing.cross_zone.enabled"] = crossing
    for key, value in found.items():
        if value not in ATTRIBUTES.get(key, ()):
            raise Unsupported(f"unknown load balancer attribute: {key}={value}")
    return found


def group_attributes_of(service: Mapping[str, Any]) -> dict[str, str]:
    proxied = read(service, "proxy-protocol") == "*"
    return {"proxy_protocol_v2.enabled": "true"} if proxied else {}


def health_check_of(service: Mapping[str, Any]) -> HealthCheck:
    """With `externalTrafficPolicy: Local`, nodes say themselves whether they have a pod."""
    spec = service["spec"]
    check = USUAL_CHECK
    local = spec.get("externalTrafficPolicy") == "Local" and spec.get("healthCheckNodePort")
    if local and target_type_of(service) == "instance":
        port = str(spec["healthCheckNodePort"])
        check = HealthCheck(
            protocol="HTTP",
            port=port,
            path="/healthz",
            codes="200-399",
            interval=10,
            timeout=6,
            healthy_threshold=2,
            unhealthy_threshold=2,
        )
    numbers = {}
    for name, (field, low, high) in CHECKS.items():
        stated = read(service, name)
        if stated:
            if not stated.isdecimal() or not low <= int(stated) <= high:
                raise Unsupported(f"invalid {name}: {stated}")
            numbers[field] = int(stated)
    changed = msgspec.structs.replace(check, **numbers)
    if changed.timeout > changed.interval:
        changed = msgspec.structs.replace(changed, timeout=changed.interval)
    return changed
