"""Getting along with Docker on the same host.

Docker drops whatever is forwarded and not its own, and asks others to put their rules into the
chain DOCKER-USER ("Packet filtering and firewalls", Docker's manual). Without them public subnets
would not reach out beside a running Docker.
"""

from longshore.base.installation import Installation
from longshore.fabric import expressions as x
from longshore.fabric.names import host_table, uplink_prefix
from longshore.fabric.nftables import list_rules, run_transaction
from longshore.fabric.ruleset import Command, Expression

CHAIN = {"family": "ip", "table": "filter", "chain": "DOCKER-USER"}


def _place() -> tuple[str, str, str]:
    return CHAIN["family"], CHAIN["table"], CHAIN["chain"]


def let_through(installation: Installation) -> None:
    """Put the installation's rules into Docker's chain, where there is one and they are not."""
    comment = host_table(installation.id)
    rules = list_rules(*_place())
    if rules is None or any(rule.get("comment") == comment for rule in rules):
        return
    uplink = uplink_prefix(installation.id) + "*"
    outbound: list[Expression] = [x.match(x.meta("iifname"), uplink), x.ACCEPT]
    inbound: list[Expression] = [x.match(x.meta("oifname"), uplink), x.ACCEPT]
    run_transaction(
        [
            {"insert": {"rule": {**CHAIN, "comment": comment, "expr": e}}}
            for e in (outbound, inbound)
        ]
    )


def remove_rules(installation: Installation) -> None:
    """Take the installation's rules out again."""
    comment = host_table(installation.id)
    doomed: list[Command] = [
        {"delete": {"rule": {**CHAIN, "handle": rule["handle"]}}}
        for rule in list_rules(*_place()) or ()
        if rule.get("comment") == comment
    ]
    run_transaction(doomed)
