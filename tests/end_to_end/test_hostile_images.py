"""Images and tasks that reach for the machine's files: they get none of them."""

import gzip
import hashlib
import io
import json
import tarfile

import pytest
from end_to_end.checks import LAUNCH_TYPES, check, run_without_interface

from longshore.images.layout import busybox_files, make_image
from longshore.testing.images import push_image

APPLETS = ("sh", "cat", "head", "ls", "ln", "mkdir", "rm", "sleep", "test", "touch")
UP = "../" * 12
CANARY = "untouched\n"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MEMORY = (1, 1)
"""Device numbers of /dev/mem."""


def entry(name, kind=tarfile.REGTYPE, link="", device=(0, 0)):
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, 0o777
    made.devmajor, made.devminor = device
    return made


def layers(outside):
    """Entries of a second layer by what they try; `outside` is a directory of the machine."""
    there = str(outside)
    relative = there.lstrip("/")
    link = entry("link", tarfile.SYMTYPE, there)
    return {
        "names that climb": [entry(f"{UP}{relative}/climbed")],
        "absolute names": [entry(f"{there}/absolute")],
        "a file behind a link": [link, entry("link/behind")],
        "a file behind a link that climbs": [
            entry("link", tarfile.SYMTYPE, f"{UP}{relative}"),
            entry("link/behind"),
        ],
        "a hard link to a file": [
            entry("hard", tarfile.LNKTYPE, f"{there}/canary"),
            entry("hard"),
        ],
        "a hard link that climbs": [
            entry("hard", tarfile.LNKTYPE, f"{UP}{relative}/canary"),
            entry("hard"),
        ],
        "a whiteout behind a link": [link, entry("link/.wh.canary")],
        "a whiteout that climbs": [entry(f"{UP}{relative}/.wh.canary")],
        "a directory emptied behind a link": [link, entry("link/.wh..wh..opq")],
        "etc that is a link": [link, entry("etc", tarfile.SYMTYPE, there)],
        "a device": [link, entry("memory", tarfile.CHRTYPE, device=MEMORY)],
    }


def add_layer(layout, entries):
    """Put a further layer on top of the one image of an OCI layout."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for each in entries:
            archive.addfile(each)
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(blob(layout, index["manifests"][0]))
    config = json.loads(blob(layout, manifest["config"]))
    config["rootfs"]["diff_ids"].append(digest(buffer.getvalue()))
    manifest["config"] |= keep(layout, json.dumps(config).encode())
    packed = gzip.compress(buffer.getvalue(), 1, mtime=0)
    manifest["layers"].append({"mediaType": LAYER, **keep(layout, packed)})
    index["manifests"][0] |= keep(layout, json.dumps(manifest).encode())
    (layout / "index.json").write_text(json.dumps(index))
    return layout


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def blob(layout, descriptor):
    return (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()


def keep(layout, content):
    name = digest(content)
    (layout / "blobs" / name.replace(":", "/")).write_bytes(content)
    return {"digest": name, "size": len(content)}


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A directory of the machine that no task was given."""
    directory = tmp_path_factory.mktemp("outside")
    (directory / "canary").write_text(CANARY)
    return directory


def is_untouched(outside):
    found = {path.name: path.read_text() for path in outside.iterdir()}
    return found == {"canary": CANARY}


SCRIPT = """
for file in /link/written /etc/written; do ( echo x > $file ) || true; done
rm -f /link/canary || true
test ! -e /memory || ! head -c 1 /memory
"""


@pytest.fixture(scope="module")
def ended(cloud, outside, tmp_path_factory):
    """Each image's task of each launch type, run side by side to its end."""
    cloud.ecr.create_repository(repositoryName="hostile")
    uri = cloud.repository_uri("hostile")
    started = {}
    for number, (attempt, entries) in enumerate(layers(outside).items()):
        layout = make_image(tmp_path_factory.mktemp("image"), busybox_files(*APPLETS))
        push_image(add_layer(layout, entries), f"{uri}:{number}", cloud.registry_credentials())
        for launch_type in LAUNCH_TYPES:
            task = start(cloud, f"{uri}:{number}", launch_type, f"hostile-{number}")
            started[attempt, launch_type] = task
    return {key: cloud.await_status(task, "STOPPED") for key, task in started.items()}


def start(cloud, image, launch_type, family, **further):
    mounts = [
        {"sourceVolume": "data", "containerPath": "/link/mounted"},
        {"sourceVolume": "data", "containerPath": "/../../climbed"},
    ]
    container = {"name": "main", "image": image, "memory": 64, "mountPoints": mounts}
    containers = [container | check(SCRIPT) | further]
    volumes = [{"name": "data"}]
    name = f"{family}-{launch_type.lower()}"
    if launch_type == "FARGATE":
        return cloud.run(cloud.definition(name, containers, volumes=volumes))[0]
    definition = cloud.definition(
        name, containers, fargate=False, networkMode="bridge", volumes=volumes
    )
    return run_without_interface(cloud, definition)


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
@pytest.mark.parametrize("attempt", layers("/"))
def test_image_with(ended, outside, attempt, launch_type):
    assert is_untouched(outside)
    task = ended[attempt, launch_type]
    # gVisor starts no container that reaches such a device.
    refusal = "CannotStartContainerError" if attempt == "a device" else "CannotPullContainerError"
    refused = refusal in task["stoppedReason"]
    code = task["containers"][0].get("exitCode")
    assert refused or code == 0, (task["stoppedReason"], task["containers"])


@pytest.mark.parametrize("launch_type", LAUNCH_TYPES)
def test_link_in_a_shared_volume_leads_nowhere_for_the_next_container(cloud, outside, launch_type):
    mount = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}
    common = {"image": cloud.image("linking", busybox_files(*APPLETS), {}), "memory": 64, **mount}
    links = check(f"ln -s {outside} /data/link; ln -s {outside}/canary /data/file")
    follows = check("! touch /data/link/written; ! cat /data/file; ! echo x > /data/file")
    order = {"dependsOn": [{"containerName": "links", "condition": "SUCCESS"}]}
    containers = [
        {"name": "links", "essential": False, **common, **links},
        {"name": "follows", **common, **follows, **order},
    ]
    volumes = [{"name": "data"}]
    arn = cloud.definition(
        f"linking-{launch_type.lower()}",
        containers,
        fargate=launch_type == "FARGATE",
        volumes=volumes,
    )
    task = cloud.await_status(cloud.run(arn, launch_type)[0], "STOPPED")
    codes = {each["name"]: each.get("exitCode") for each in task["containers"]}
    assert codes == {"links": 0, "follows": 0}
    assert is_untouched(outside)
