"""What lies in a machine image: BusyBox with our init scripts, and of a node what nodes run."""

import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from longshore.components import ComponentMissing, locate
from longshore.components.iptables import iptables
from longshore.components.libraries import with_libraries
from longshore.images.contents import Contents
from longshore.images.layout import busybox, make_image

ROOTFS = Path(__file__).with_name("rootfs")
FARGATE_ROOTFS = Path(__file__).with_name("fargate_rootfs")
"""What is otherwise in the machines of Fargate's pods."""
NODE_PROGRAMS = ("containerd", "ctr", "containerd-shim-longshore-v2", "longshore-node")
SANDBOX_PROGRAMS = ("containerd-shim-runsc-v1", "runsc")
CNI_PLUGINS = ("loopback", "portmap")
TEXTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/os-release": 'NAME="Longshore"\nID=longshore\nPRETTY_NAME="Longshore machine image"\n',
    "etc/longshore/endpoint": "",
    "etc/longshore/registry": "",
    "etc/ssl/certs/ca-certificates.crt": "",
    "root/.profile": "export AWS_ENDPOINT_URL=$(cat /etc/longshore/endpoint)\n",
    "etc/hosts": "",
    "etc/hostname": "",
    "etc/resolv.conf": "",
}


def base_contents() -> Contents:
    """The image that nothing is added to. LookupError where this machine has no BusyBox."""
    return Contents(
        files={"bin/busybox": str(busybox()), **_own_files(ROOTFS)},
        links={**_applets(), "etc/mtab": "../proc/mounts"},
        texts=TEXTS,
        config={"Entrypoint": ["/sbin/boot"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
    )


def node_contents(kubernetes: str, pause: Path) -> Contents:
    """The image of a node of this minor version; `pause` is the layout that `pause_layout` made.

    Raises ComponentMissing, and LookupError where the machine lacks a program.
    """
    base = base_contents()
    tables = iptables("usr/sbin")
    files = {
        **base.files,
        **with_libraries(_program("runc")),
        **tables.files,
        **{f"usr/bin/{name}": str(locate(name).resolve()) for name in NODE_PROGRAMS},
        "usr/bin/kube": str(locate(f"kube-{kubernetes}").resolve()),
        **{f"opt/cni/bin/{name}": str(locate(f"cni-{name}").resolve()) for name in CNI_PLUGINS},
        "usr/share/pause": str(pause),
    }
    links = {
        **base.links,
        "opt/cni/bin/longshore-cni": "../../../usr/bin/longshore-node",
        **tables.links,
    }
    return Contents(files=files, links=links, texts=base.texts, config=base.config)


def fargate_contents(kubernetes: str, pause: Path) -> Contents:
    """A node's image whose pods are in gVisor's sandboxes, with a kube-proxy of its own.

    Raises as `node_contents`.
    """
    node = node_contents(kubernetes, pause)
    programs = {f"usr/bin/{name}": str(locate(name).resolve()) for name in SANDBOX_PROGRAMS}
    files = {**node.files, **programs, **_own_files(FARGATE_ROOTFS)}
    return Contents(files=files, links=node.links, texts=node.texts, config=node.config)


def pause_layout(directory: Path) -> Path:
    """The sandbox image of nodes' pods, as an OCI layout in this directory.

    Raises ComponentMissing.
    """
    content = locate("pause").resolve().read_bytes()
    return make_image(directory, {"pause": content}, {"Entrypoint": ["/pause"]})


def missing_component(kubernetes: str) -> str:
    """The name of a component that a node's image lacks; empty where all are there."""
    for program, component in (
        (f"kube-{kubernetes}", f"kubernetes-{kubernetes}"),
        ("longshore-node", "node"),
    ):
        try:
            locate(program)
        except ComponentMissing:
            return component
    return ""


def _own_files(root: Path) -> dict[str, str]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): str(path) for path in found}


@lru_cache
def _applets() -> dict[str, str]:
    """Where BusyBox's applets lead, by the places that it wants them at."""
    told = subprocess.run(
        [busybox(), "--list-full"], capture_output=True, text=True, check=True
    ).stdout.split()
    places = [name for name in told if name != "bin/busybox"]
    return {name: "../" * name.count("/") + "bin/busybox" for name in places}


def _program(name: str) -> Path:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise LookupError(f"{name} is missing: apt-get install {name}")
    return Path(found).resolve()
