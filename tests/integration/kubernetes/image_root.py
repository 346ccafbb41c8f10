"""The image of an add-on as a file system, and what runs in it, beside a real control plane."""

import contextlib
import shutil
import subprocess

from longshore.addons import ADDONS
from longshore.controllers.eks_addons.images import PATH, _contents

CREDENTIALS = "var/run/secrets/kubernetes.io/serviceaccount"
KERNELS = ("dev", "proc")
SYSTEM = "--namespace=kube-system"


def unpack(name, minor, root):
    """Have the image of this add-on below `root`, and what a pod of it finds mounted."""
    addon = ADDONS[name]
    for path, content in _contents(addon, addon.version_for(minor)).entries().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if content.is_absolute():
            shutil.copy(content, root / path)
        else:
            (root / path).symlink_to(content)
    for path in (*KERNELS, "run", CREDENTIALS):
        (root / path).mkdir(parents=True, exist_ok=True)


def give_credentials(plane, root, account):
    """Those of a service account, as its pods find them."""
    (root / CREDENTIALS / "ca.crt").write_bytes(plane.keys.cluster.certificate)
    token = plane.run("create", "token", account, SYSTEM).stdout
    (root / CREDENTIALS / "token").write_text(token)


@contextlib.contextmanager
def running(plane, root, command, log, environment=()):
    """The command in the image, in the plane's network; killed at the end."""
    words = ["env", "-i", PATH, *environment, "chroot", str(root), *command]
    mounts = [f"mount --rbind /{each} {root}/{each}" for each in KERNELS]
    inside = " && ".join([*mounts, f"exec {' '.join(words)}"])
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["unshare", "--mount", *plane.in_namespace("sh", "-c", inside)],
            stdout=output,
            stderr=output,
        )
    process.log = log
    try:
        yield process
    finally:
        process.kill()
        process.wait()
