"""What a task runs is what its registry has at that moment, and what its role may have."""

import urllib.request

import pytest

from longshore.testing.images import busybox_files, make_image, push_image

CODES = {"first": b"3", "second": b"4"}


def push(cloud, name, code):
    """An image that exits with `code`, under the tag `latest`; its reference and digest."""
    repository = "exits"
    found = cloud.ecr.describe_repositories()["repositories"]
    if repository not in {each["repositoryName"] for each in found}:
        cloud.ecr.create_repository(repositoryName=repository)
    script = {"code": code, **busybox_files("sh", "cat")}
    config = {"Cmd": ["sh", "-c", "exit $(cat /code)"]}
    layout = make_image(cloud.directory / f"exits-{name}", script, config)
    uri = cloud.repository_uri(repository)
    return uri, push_image(layout, f"{uri}:latest", cloud.registry_credentials())


def ended(cloud, image, **definition):
    """How a task of this image ends on the host."""
    container = {"name": "main", "image": image, "memory": 32}
    arn = cloud.definition("exits", [container], fargate=False, **definition)
    return cloud.await_status(cloud.run(arn, "EC2")[0], "STOPPED")


def test_tag_pushed_anew_is_what_the_next_task_runs(cloud):
    for name, code in CODES.items():
        uri, digest = push(cloud, name, code)
        for _ in range(2):
            (container,) = ended(cloud, f"{uri}:latest")["containers"]
            assert (container["exitCode"], container["imageDigest"]) == (int(code), digest)


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_role_that_may_not_pull_gets_nothing_of_an_image_that_is_on_the_host(cloud, by):
    uri, digest = push(cloud, "first", CODES["first"])
    image = f"{uri}:latest" if by == "tag" else f"{uri}@{digest}"
    assert ended(cloud, image)["containers"][0]["exitCode"] == int(CODES["first"])
    task = ended(cloud, image, executionRoleArn=cloud.role("no-images"))
    assert "exitCode" not in task["containers"][0]
    assert task["stopCode"] == "TaskFailedToStart"
    assert "is not authorized to perform: ecr:GetAuthorizationToken" in task["stoppedReason"]


def test_bytes_that_a_repository_took_in_are_on_the_page_of_metrics(cloud):
    push(cloud, "counted", b"5")
    url = f"{cloud.longshore.installation.endpoint_url}/_longshore/metrics"
    lines = urllib.request.urlopen(url, timeout=5).read().decode().splitlines()
    (counted,) = (
        line
        for line in lines
        if line.startswith("longshore_registry_bytes_total{")
        and 'repository="exits"' in line
        and 'direction="push"' in line
    )
    # What a repository has already is not sent again.
    assert float(counted.rpartition(" ")[2]) > 100
