"""What the host itself filters and translates for the fabric, as an nftables table (pure)."""

import ipaddress
from collections.abc import Sequence

from longshore.base.installation import Installation
from longshore.fabric import expressions as x
from longshore.fabric.names import host_table, uplink_prefix
from longshore.fabric.ruleset import Chain, Hook, Ruleset, ruleset
from longshore.model.link_local import LINK_RANGE

LOOPBACK = "127.0.0.0/8"
ANY_ADDRESS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, never bound


def api_ports(installation: Installation) -> Sequence[int]:
    """The ports that every VPC reaches at `API_ADDRESS`."""
    return (installation.port, installation.tls_port, installation.registry_port)


def machine_address(installation: Installation) -> str:
    """The address at which tasks see this machine: the first of the public pool."""
    return str(ipaddress.IPv4Network(installation.public_pool)[1])


def host_ruleset(installation: Installation) -> Ruleset:
    """The installation's table in the host's own namespace.

    Out of an uplink comes only what its router translated: public addresses, and the router's own
    for the API. Loopback is reached from there by the API's ports alone.
    """
    uplink = uplink_prefix(installation.id) + "*"
    from_uplink = x.match(x.meta("iifname"), uplink)
    pool = x.prefix(installation.public_pool)
    links = x.prefix(LINK_RANGE)
    source, destination = x.field("ip", "saddr"), x.field("ip", "daddr")
    listener = "127.0.0.1" if installation.listen in ANY_ADDRESS else installation.listen
    to_api = x.match(x.field("tcp", "dport"), x.any_of(*api_ports(installation)))
    chains = (
        Chain(
            "sources-checked",
            (
                [from_uplink, x.match(x.meta("nfproto"), "ipv6"), x.DROP],
                [from_uplink, x.match(destination, x.prefix(LOOPBACK)), x.DROP],
                [from_uplink, x.match(source, x.any_of(pool, links), "!="), x.DROP],
            ),
            Hook("filter", "prerouting", -300),
        ),
        Chain(
            "api",
            (
                [
                    from_uplink,
                    x.match(destination, links),
                    to_api,
                    {"dnat": {"family": "ip", "addr": listener}},
                ],
            ),
            Hook("nat", "prerouting", -100),
        ),
        Chain(
            "input",
            (
                [from_uplink, x.ct_state(x.ESTABLISHED), x.ACCEPT],
                [from_uplink, x.match({"ct": {"key": "status"}}, "dnat", "in"), x.ACCEPT],
                [from_uplink, x.match(source, links), x.DROP],
            ),
            Hook("filter", "input", 0),
        ),
        Chain(
            "outside",
            (
                [
                    x.match(source, pool),
                    x.match(x.meta("oifname"), uplink, "!="),
                    x.match(x.meta("oifname"), "lo", "!="),
                    {"masquerade": None},
                ],
            ),
            Hook("nat", "postrouting", 100),
        ),
    )
    return ruleset(host_table(installation.id), (), chains)
