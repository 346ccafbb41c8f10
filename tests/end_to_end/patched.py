"""A Longshore of its own whose Kubernetes is built anew, as by a patch, while a cluster serves."""

import shutil
import threading
from pathlib import Path

from end_to_end.cloud import Cloud
from end_to_end.kubectl import Kubernetes
from end_to_end.steady_client import SteadyClient

from longshore.components.directory import SETTING, ComponentsDirectory
from longshore.testing.longshore import RunningLongshore
from longshore.testing.wait import wait_until

PROGRAM = "kube-1.35"
PATCHED_SECONDS = 240
"""A new platform version rests for a minute before the first control plane comes to it."""


class Patched:
    """Goes its way in a thread, since most of it is waiting; `result` waits for the end."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.before, self.after = {}, {}
        """What DescribeCluster said, and processes by name."""
        self.client = None
        """The `SteadyClient` that was at work all the time."""
        self._failure = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self):
        self._thread.join()

    def result(self):
        self.join()
        if self._failure is not None:
            raise self._failure
        return self

    def _run(self):
        try:
            self._go()
        except BaseException as failure:
            self._failure = failure

    def _go(self):
        components = _copied(self.directory / "components")
        longshore = RunningLongshore(
            self.directory / "data", environment={SETTING: str(components.root)}
        )
        try:
            images = self.directory / "images"
            images.mkdir()
            cluster = Kubernetes(Cloud(longshore, images), "quay", "1.35")
            self.before = _look(cluster)
            with SteadyClient(cluster) as self.client:
                _build_anew(components)
                # Whoever looks at the cluster sees it.
                arn = self.before["cluster"]["arn"]
                cluster.eks.tag_resource(resourceArn=arn, tags={"seen": "yes"})
                wait_until(lambda: self._is_patched(cluster), PATCHED_SECONDS, "it is patched")
            self.after = _look(cluster)
        finally:
            longshore.end()

    def _is_patched(self, cluster):
        told = cluster.describe()
        return told["platformVersion"] != self.before["cluster"]["platformVersion"]


def _look(cluster):
    return {"cluster": cluster.describe(), "processes": cluster.processes()}


def _copied(root):
    """The machine's components, in a directory whose links can be changed."""
    machine = ComponentsDirectory.from_environment()
    shutil.copytree(machine.bin, root / "bin", symlinks=True)
    for each in machine.root.iterdir():
        if each.is_dir() and each.name != "bin":
            (root / each.name).symlink_to(each)
    return ComponentsDirectory(root)


def _build_anew(components):
    """Have another build of the same Kubernetes, as another set of pins would."""
    now = components.bin / PROGRAM
    built = now.resolve()
    other = components.root / "patched" / f"{built.parent.name}-patched" / PROGRAM
    other.parent.mkdir(parents=True)
    shutil.copy2(built, other)
    link = components.bin / "link"
    link.symlink_to(other)
    link.rename(now)
