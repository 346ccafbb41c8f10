"""Machine images, from release to release."""

import hashlib
from pathlib import Path

from longshore.components import component
from longshore.components.pins import KUBERNETES_RELEASES
from longshore.instances import fargate_images, images, machine_image, machine_images
from longshore.instances.root import (
    CNI_PLUGINS,
    FARGATE_ROOTFS,
    NODE_PROGRAMS,
    ROOTFS,
    SANDBOX_PROGRAMS,
    TEXTS,
)

REGION = "us-east-1"
RELEASED = ("20261201", "1b6b0d828db8342dede8")
"""The newest release, and what it has in it."""
SOURCES = Path(__file__).parents[3] / "components"
PROGRAMS = (NODE_PROGRAMS, SANDBOX_PROGRAMS, CNI_PLUGINS)
COMPONENTS = ("containerd", "runc-shim", "runsc", "runsc-shim", "node")


def contents():
    """A digest of what a change of makes a change of the machine images: scripts and files, the
    sources of programs of our own, versions of others'."""
    roots = [ROOTFS, FARGATE_ROOTFS, *(SOURCES / each for each in ("containerd", "gvisor", "node"))]
    pins = [component(name).sources for name in COMPONENTS]
    found = hashlib.sha256(repr((KUBERNETES_RELEASES, pins, TEXTS, PROGRAMS)).encode())
    for root in roots:
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            found.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return found.hexdigest()[:20]


def test_whatever_changes_in_machine_images_changes_their_release():
    # A release that others have already is not changed any more: RELEASE is another date then.
    assert (images.RELEASE, contents()) == RELEASED


def test_images_of_earlier_releases_are_good_for_instances_that_there_are(monkeypatch):
    old = machine_images(REGION)
    sandboxed = {image.id for image in fargate_images(REGION)}
    monkeypatch.setattr(images, "EARLIER", (images.RELEASE, *images.EARLIER))
    monkeypatch.setattr(images, "RELEASE", "20270101")
    new = machine_images(REGION)
    assert not {image.id for image in new} & {image.id for image in old}
    for before, after in zip(old, new, strict=True):
        assert machine_image(REGION, before.id).kubernetes == after.kubernetes
        assert machine_image(REGION, after.id) == after
        assert after.name.endswith(("20270101", "20270101-x86_64"))
    assert sandboxed < {image.id for image in fargate_images(REGION)}
    assert {image.release_version[-8:] for image in new if image.kubernetes} == {"20270101"}


def test_an_image_that_never_was_is_none():
    assert machine_image(REGION, "ami-00000000000000000") is None
