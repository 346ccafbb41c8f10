"""Trying kernel features, each in namespaces of its own that vanish with the attempt."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from longshore.components.component import ComponentMissing
from longshore.components.directory import ComponentsDirectory
from longshore.components.installer import locate

SECONDS = 20.0


class Feature(msgspec.Struct, frozen=True):
    """`script` runs in fresh mount and network namespaces, in an empty folder of the data disk."""

    name: str
    use: str
    script: str
    mend: str


class Attempt(msgspec.Struct, frozen=True):
    """`failure` is empty where the feature is there, else what the attempt printed first."""

    feature: Feature
    failure: str


FEATURES = (
    Feature(
        "namespaces",
        "every container and VPC has its own",
        "true",
        "run Longshore on the machine itself or in a privileged container",
    ),
    Feature(
        "overlayfs",
        "the layers of images",
        "mkdir l u w m && mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m",
        "modprobe overlay; or choose a --data-dir that is not itself on an overlay",
    ),
    Feature(
        "veth",
        "ENIs",
        "ip link add la type veth peer name lb",
        "modprobe veth",
    ),
    Feature(
        "bridge",
        "bridge network mode",
        "ip link add lbr type bridge",
        "modprobe bridge",
    ),
    Feature(
        "vxlan",
        "VPCs that span hosts",
        "ip link add lv type vxlan id 7 dstport 4789 local 127.0.0.1",
        "modprobe vxlan",
    ),
    Feature(
        "ip forwarding",
        "VPC routers",
        "echo 1 > /proc/sys/net/ipv4/ip_forward",
        "mount -o remount,rw /proc/sys",
    ),
    Feature(
        "nftables",
        "security groups",
        """nft -f - <<RULES
        table inet t {
            set s {
                type inet_proto . inet_service . ipv4_addr
                flags interval
            }
            chain c {
                type filter hook forward priority 0
                ct state established accept
                meta l4proto . th dport . ip saddr @s accept
            }
        }
RULES""",
        "modprobe -a nf_tables nf_conntrack nft_ct",
    ),
    Feature(
        "address translation",
        "public addresses, internet and NAT gateways",
        """nft -f - <<RULES
        table ip t {
            chain c {
                type nat hook postrouting priority 100
                masquerade
            }
        }
RULES""",
        "modprobe -a nft_chain_nat nft_masq nf_nat",
    ),
    Feature(
        "gVisor",
        "Fargate tasks",
        "runsc --root=$PWD --platform=systrap --network=none --ignore-cgroups --rootless=false"
        " do true",
        "sysctl -w kernel.unprivileged_userns_clone=1; see docs/components.md",
    ),
)


def try_features(disk: Path, directory: ComponentsDirectory) -> list[Attempt]:
    """Every feature, one after another; `disk` is a folder on the data directory's file system."""
    found = ":".join(str(path) for path in _tools(directory))
    return [Attempt(feature, _failure(feature, disk, found)) for feature in FEATURES]


def _tools(directory: ComponentsDirectory) -> Sequence[Path]:
    folders = [Path(folder) for folder in ("/usr/sbin", "/usr/bin", "/sbin", "/bin")]
    for program in ("runsc", "nft", "ip"):
        try:
            folders.append(locate(program, directory).parent)
        except ComponentMissing:
            continue
    return folders


def _failure(feature: Feature, disk: Path, path: str) -> str:
    with tempfile.TemporaryDirectory(prefix=".longshore-doctor-", dir=disk) as folder:
        try:
            done = subprocess.run(
                ["unshare", "--mount", "--net", "sh", "-ec", feature.script],
                check=False,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                cwd=folder,
                env={"PATH": path, "LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {SECONDS:.0f} s"
        except OSError as error:
            return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[0]
