"""The few nftables expressions and statements that the fabric's rules are made of."""

import ipaddress

from longshore.fabric.ruleset import Expression

ACCEPT: Expression = {"accept": None}
DROP: Expression = {"drop": None}
ESTABLISHED = ["established", "related"]


def meta(key: str) -> Expression:
    return {"meta": {"key": key}}


def field(protocol: str, name: str) -> Expression:
    return {"payload": {"protocol": protocol, "field": name}}


def concat(*parts: Expression) -> Expression:
    return {"concat": list(parts)}


def match(left: Expression, right: Expression, operator: str = "==") -> Expression:
    return {"match": {"op": operator, "left": left, "right": right}}


def ct_state(states: list[str]) -> Expression:
    return match({"ct": {"key": "state"}}, states, "in")


def ct_destination() -> Expression:
    """The destination that the flow's first packet had, before any translation."""
    return {"ct": {"key": "ip daddr", "dir": "original"}}


def look_up(left: Expression, map_name: str) -> Expression:
    """A verdict from a map."""
    return {"vmap": {"key": left, "data": f"@{map_name}"}}


def jump(chain: str) -> Expression:
    return {"jump": {"target": chain}}


def goto(chain: str) -> Expression:
    return {"goto": {"target": chain}}


def prefix(cidr: str) -> Expression:
    """An address or a prefix, as the sets want it."""
    network = ipaddress.IPv4Network(cidr)
    if network.prefixlen == 32:
        return str(network.network_address)
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


def span(low: int, high: int) -> Expression:
    return low if low == high else {"range": [low, high]}


def any_of(*items: Expression) -> Expression:
    return {"set": list(items)}
