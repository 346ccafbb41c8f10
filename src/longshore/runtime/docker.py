"""Getting along with Docker on the same host, which drops what is forwarded and not its own.

It asks others to put their rules into the chain DOCKER-USER ("Packet filtering and firewalls",
Docker's manual).
"""

import re
import subprocess

CHAIN = ("ip", "filter", "DOCKER-USER")


def let_through(device: str, comment: str) -> None:
    """Accept what comes from a device or goes to it, where there is a Docker."""
    found = _nft("list", "chain", *CHAIN)
    if found is None or f'"{comment}"' in found:
        return
    for side in ("iifname", "oifname"):
        _nft("insert", "rule", *CHAIN, side, device, "accept", "comment", f'"{comment}"')


def remove_rules(comment: str) -> None:
    """Take the rules with this comment out again."""
    found = _nft("-a", "list", "chain", *CHAIN) or ""
    for handle in re.findall(rf'comment "{re.escape(comment)}" # handle (\d+)', found):
        _nft("delete", "rule", *CHAIN, "handle", handle)


def _nft(*arguments: str) -> str | None:
    done = subprocess.run(["nft", *arguments], capture_output=True, text=True, check=False)
    return None if done.returncode else done.stdout
