"""The ECR API as AWS's own client sees it, with the registry beside it."""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from longshore.model.ecr import LARGEST_LAYER
from longshore.registry.expiry import expire
from longshore.testing.ecr import RunningEcr, login
from longshore.testing.images import busybox_files, make_image, push_image
from longshore.testing.registry_client import (
    CONFIG,
    LAYER,
    Client,
    descriptor,
    error,
    manifest,
    sha256,
)

ACCOUNT = "123456789012"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEcr]:
    running = RunningEcr(tmp_path_factory.mktemp("ecr"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def ecr(running: RunningEcr) -> Any:
    return running.client()


@pytest.fixture
def name(ecr: Any, request: pytest.FixtureRequest) -> str:
    name = f"tests/{abs(hash(request.node.name)):x}"
    ecr.create_repository(repositoryName=name)
    return name


def refused(code: str, call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def put_layer(ecr: Any, name: str, content: bytes) -> str:
    upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=name,
        uploadId=upload,
        partFirstByte=0,
        partLastByte=len(content) - 1,
        layerPartBlob=content,
    )
    digest = sha256(content)
    ecr.complete_layer_upload(repositoryName=name, uploadId=upload, layerDigests=[digest])
    return digest


def put_image(ecr: Any, name: str, tag: str, **more: Any) -> str:
    known = ecr.batch_check_layer_availability(
        repositoryName=name, layerDigests=[sha256(CONFIG), sha256(LAYER)]
    )
    if any(layer["layerAvailability"] != "AVAILABLE" for layer in known["layers"]):
        put_layer(ecr, name, CONFIG)
        put_layer(ecr, name, LAYER)
    text = manifest(**more).decode()
    image = ecr.put_image(repositoryName=name, imageManifest=text, imageTag=tag)["image"]
    return str(image["imageId"]["imageDigest"])


def test_a_repository_is_created_described_and_deleted(running: RunningEcr, ecr: Any) -> None:
    created = ecr.create_repository(
        repositoryName="team/web",
        tags=[{"Key": "stage", "Value": "test"}],
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
    )["repository"]
    host = running.installation.registry_host(ACCOUNT, "us-east-1")
    assert created["repositoryUri"] == f"{host}/team/web"
    assert created["repositoryArn"] == f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/web"
    assert created["imageTagMutability"] == "IMMUTABLE"
    assert created["encryptionConfiguration"] == {"encryptionType": "AES256"}
    described = ecr.describe_repositories(repositoryNames=["team/web"])["repositories"]
    assert described == [created]
    tags = ecr.list_tags_for_resource(resourceArn=created["repositoryArn"])["tags"]
    assert tags == [{"Key": "stage", "Value": "test"}]
    assert refused(
        "RepositoryAlreadyExistsException", ecr.create_repository, repositoryName="team/web"
    ) == (f"The repository with name 'team/web' already exists in the registry with id '{ACCOUNT}'")
    ecr.delete_repository(repositoryName="team/web")
    assert (
        refused(
            "RepositoryNotFoundException", ecr.describe_repositories, repositoryNames=["team/web"]
        )
        == f"The repository with name 'team/web' does not exist in the registry with id '{ACCOUNT}'"
    )


@pytest.mark.parametrize("name", ["Upper", "-a", "a//b", "../../etc", "a b", "a" * 300, "ab/"])
def test_names_of_the_wrong_shape_are_refused(ecr: Any, name: str) -> None:
    message = refused("InvalidParameterException", ecr.create_repository, repositoryName=name)
    assert "repositoryName" in message


def test_repositories_come_in_pages(ecr: Any) -> None:
    names = [f"pages/{number:02}" for number in range(7)]
    for name in names:
        ecr.create_repository(repositoryName=name)
    pages = list(
        ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 3})
    )
    found = [repository["repositoryName"] for page in pages for repository in page["repositories"]]
    assert [name for name in found if name.startswith("pages/")] == names
    assert all(len(page["repositories"]) <= 3 for page in pages)
    refused("InvalidParameterException", ecr.describe_repositories, nextToken="\u2603")


def test_an_image_pushed_by_a_client_is_described(
    running: RunningEcr, ecr: Any, name: str, tmp_path: Path
) -> None:
    layout = make_image(tmp_path, busybox_files("sh"))
    reference = f"{running.registry.host}/{name}:v1"
    authority = running.registry.authority
    digest = push_image(layout, reference, login(ecr), authority.certificate_path)
    (image,) = ecr.describe_images(repositoryName=name)["imageDetails"]
    blobs = sum(path.stat().st_size for path in (layout / "blobs/sha256").iterdir())
    content = (layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()
    assert image["imageDigest"] == digest
    assert image["imageTags"] == ["v1"]
    assert image["imageSizeInBytes"] == blobs - len(content)
    assert image["imageManifestMediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert image["artifactMediaType"] == "application/vnd.oci.image.config.v1+json"
    got = ecr.batch_get_image(
        repositoryName=name, imageIds=[{"imageTag": "v1"}, {"imageTag": "absent"}]
    )
    assert got["images"][0]["imageManifest"].encode() == content
    (failure,) = got["failures"]
    assert failure["failureCode"] == "ImageNotFound"
    assert failure["failureReason"] == "Requested image not found"


def test_a_pull_is_remembered(running: RunningEcr, ecr: Any, name: str) -> None:
    put_image(ecr, name, "v1")
    before = ecr.describe_images(repositoryName=name)["imageDetails"][0]
    assert "lastRecordedPullTime" not in before
    user, _, password = login(ecr).partition(":")
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    with Client(running.registry, {"Authorization": f"Basic {encoded}"}) as client:
        assert client("GET", f"/v2/{name}/manifests/v1").status == 200
    assert "lastRecordedPullTime" in ecr.describe_images(repositoryName=name)["imageDetails"][0]


def test_a_layer_larger_than_ecr_takes_is_refused(running: RunningEcr, ecr: Any, name: str) -> None:
    upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    data = running.installation.data_dir / "registry" / "uploads" / upload / "data"
    os.truncate(data, LARGEST_LAYER - 4)
    message = refused(
        "LimitExceededException",
        ecr.upload_layer_part,
        repositoryName=name,
        uploadId=upload,
        partFirstByte=LARGEST_LAYER - 4,
        partLastByte=LARGEST_LAYER + 3,
        layerPartBlob=b"x" * 8,
    )
    assert "52000 MiB" in message
    assert data.stat().st_size == LARGEST_LAYER - 4


def test_layers_are_uploaded_in_parts_and_downloaded_by_url(
    running: RunningEcr, ecr: Any, name: str
) -> None:
    content = hashlib.sha512(b"seed").digest() * (12 * MIB // 64)
    upload = ecr.initiate_layer_upload(repositoryName=name)
    size = upload["partSize"]
    for first in range(0, len(content), size):
        part = content[first : first + size]
        received = ecr.upload_layer_part(
            repositoryName=name,
            uploadId=upload["uploadId"],
            partFirstByte=first,
            partLastByte=first + len(part) - 1,
            layerPartBlob=part,
        )
        assert received["lastByteReceived"] == first + len(part) - 1
    refused(
        "InvalidLayerPartException",
        ecr.upload_layer_part,
        repositoryName=name,
        uploadId=upload["uploadId"],
        partFirstByte=5,
        partLastByte=6,
        layerPartBlob=b"xy",
    )
    digest = sha256(content)
    done = ecr.complete_layer_upload(
        repositoryName=name, uploadId=upload["uploadId"], layerDigests=[digest]
    )
    assert done["layerDigest"] == digest
    url = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=digest)["downloadUrl"]
    here = url.replace(
        running.installation.registry_host(ACCOUNT, "us-east-1"), running.registry.host
    )
    with urllib3.PoolManager(ca_certs=str(running.registry.authority.certificate_path)) as pool:
        assert pool.request("GET", here).data == content
        other = here.replace(digest, sha256(b"other"))
        assert error(pool.request("GET", other)) == (403, "DENIED")
        assert error(pool.request("GET", here.partition("?")[0])) == (403, "DENIED")


def test_uploads_that_do_not_hold_what_they_say_are_refused(ecr: Any, name: str) -> None:
    upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    complete = ecr.complete_layer_upload
    arguments = {"repositoryName": name, "uploadId": upload, "layerDigests": [sha256(b"abc")]}
    refused("EmptyUploadException", complete, **arguments)
    ecr.upload_layer_part(
        repositoryName=name,
        uploadId=upload,
        partFirstByte=0,
        partLastByte=2,
        layerPartBlob=b"abd",
    )
    refused("InvalidLayerException", complete, **arguments)
    refused("UploadNotFoundException", complete, **arguments)
    put_layer(ecr, name, b"abc")
    again = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=name, uploadId=again, partFirstByte=0, partLastByte=2, layerPartBlob=b"abc"
    )
    refused("LayerAlreadyExistsException", complete, **{**arguments, "uploadId": again})


def test_put_image_refuses_what_would_be_half_an_image(ecr: Any, name: str) -> None:
    put = ecr.put_image
    text = manifest().decode()
    message = refused(
        "LayersNotFoundException", put, repositoryName=name, imageManifest=text, imageTag="v1"
    )
    assert f"required for pushing image into repository with name '{name}'" in message
    refused("InvalidParameterException", put, repositoryName=name, imageManifest="{")
    assert ecr.list_images(repositoryName=name)["imageIds"] == []
    put_image(ecr, name, "v1")
    refused(
        "ImageAlreadyExistsException", put, repositoryName=name, imageManifest=text, imageTag="v1"
    )
    refused(
        "ImageDigestDoesNotMatchException",
        put,
        repositoryName=name,
        imageManifest=text,
        imageDigest=sha256(b"x"),
    )


def test_an_immutable_repository_keeps_its_tags(ecr: Any, name: str) -> None:
    ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability="IMMUTABLE")
    put_image(ecr, name, "v1")
    other = manifest(annotations={"other": "one"}).decode()
    refused(
        "ImageTagAlreadyExistsException",
        ecr.put_image,
        repositoryName=name,
        imageManifest=other,
        imageTag="v1",
    )
    ecr.put_image_tag_mutability(
        repositoryName=name,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "v*"}],
    )
    ecr.put_image(repositoryName=name, imageManifest=other, imageTag="v1")


def test_images_are_listed_and_deleted_by_tag_and_digest(ecr: Any, name: str) -> None:
    one = put_image(ecr, name, "v1")
    put_image(ecr, name, "v2")
    two = put_image(ecr, name, "v3", annotations={"a": "b"})
    listed = ecr.list_images(repositoryName=name)["imageIds"]
    assert sorted((image["imageDigest"], image["imageTag"]) for image in listed) == sorted(
        [(one, "v1"), (one, "v2"), (two, "v3")]
    )
    deleted = ecr.batch_delete_image(
        repositoryName=name,
        imageIds=[
            {"imageTag": "v1"},
            {"imageDigest": two},
            {"imageTag": "absent"},
            {"imageDigest": "sha256:zz"},
            {"imageDigest": one, "imageTag": "v1"},
        ],
    )
    assert deleted["imageIds"] == [
        {"imageDigest": one, "imageTag": "v1"},
        {"imageDigest": two, "imageTag": "v3"},
    ]
    assert [failure["failureCode"] for failure in deleted["failures"]] == [
        "ImageNotFound",
        "InvalidImageDigest",
        "ImageTagDoesNotMatchDigest",
    ]
    assert ecr.list_images(repositoryName=name)["imageIds"] == [
        {"imageDigest": one, "imageTag": "v2"}
    ]
    ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v2"}])
    assert ecr.describe_images(repositoryName=name)["imageDetails"] == []
    message = refused(
        "ImageNotFoundException",
        ecr.describe_images,
        repositoryName=name,
        imageIds=[{"imageTag": "v2"}],
    )
    assert message == (
        "The image with imageId {imageDigest:'null', imageTag:'v2'} does not exist within the"
        f" repository with name '{name}' in the registry with id '{ACCOUNT}'"
    )


def test_a_repository_with_images_is_deleted_only_by_force(ecr: Any, name: str) -> None:
    put_image(ecr, name, "v1")
    refused("RepositoryNotEmptyException", ecr.delete_repository, repositoryName=name)
    ecr.delete_repository(repositoryName=name, force=True)
    ecr.create_repository(repositoryName=name)
    assert ecr.list_images(repositoryName=name)["imageIds"] == []
    refused(
        "LayersNotFoundException",
        ecr.put_image,
        repositoryName=name,
        imageManifest=manifest().decode(),
    )


def test_tags_of_repositories_are_changed(ecr: Any, name: str) -> None:
    arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}"
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ecr.untag_resource(resourceArn=arn, tagKeys=["a", "absent"])
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "b", "Value": "2"}]
    many = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
    refused("TooManyTagsException", ecr.tag_resource, resourceArn=arn, tags=many)
    bad = [{"Key": "aws:x", "Value": ""}]
    refused("InvalidTagParameterException", ecr.tag_resource, resourceArn=arn, tags=bad)


PULL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                "Resource": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/tests/*",
            },
        ],
    }
)


def registry_client(running: RunningEcr, credentials: str) -> Client:
    encoded = base64.b64encode(credentials.encode()).decode()
    return Client(running.registry, {"Authorization": f"Basic {encoded}"})


def test_a_user_who_may_pull_may_not_push(running: RunningEcr, ecr: Any, name: str) -> None:
    put_image(ecr, name, "v1")
    puller = running.client(running.user("puller", PULL))
    with registry_client(running, login(puller)) as client:
        assert client("GET", f"/v2/{name}/manifests/v1").status == 200
        assert client("GET", f"/v2/{name}/blobs/{sha256(LAYER)}").data == LAYER
        answer = client("POST", f"/v2/{name}/blobs/uploads/")
        assert error(answer) == (403, "DENIED")
        message = answer.json()["errors"][0]["message"]
        assert message.startswith(
            f"User: arn:aws:iam::{ACCOUNT}:user/puller is not authorized to perform:"
            " ecr:InitiateLayerUpload on resource:"
        )
    refused("AccessDeniedException", puller.delete_repository, repositoryName=name)


def test_a_repositorys_policy_lets_another_account_pull(
    running: RunningEcr, ecr: Any, name: str
) -> None:
    put_image(ecr, name, "v1")
    everything = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
    )
    other = running.client(running.user("other", everything, "222222222222"))
    host = running.installation.registry_host(ACCOUNT, "us-east-1")
    path = f"/v2/{name}/manifests/v1"
    with registry_client(running, login(other)) as client:
        assert error(client("GET", path, host=host)) == (403, "DENIED")
        policy = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
                        "Action": "ecr:BatchGetImage",
                    }
                ],
            }
        )
        ecr.set_repository_policy(repositoryName=name, policyText=policy)
        assert ecr.get_repository_policy(repositoryName=name)["policyText"] == policy
        assert client("GET", path, host=host).status == 200
        ecr.delete_repository_policy(repositoryName=name)
        assert error(client("GET", path, host=host)) == (403, "DENIED")
    refused("RepositoryPolicyNotFoundException", ecr.get_repository_policy, repositoryName=name)
    refused(
        "InvalidParameterException",
        ecr.set_repository_policy,
        repositoryName=name,
        policyText='{"Statement": 5}',
    )


LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "description": "Keep one",
                "selection": {
                    "tagStatus": "any",
                    "countType": "imageCountMoreThan",
                    "countNumber": 1,
                },
                "action": {"type": "expire"},
            }
        ]
    }
)


def test_a_lifecycle_policy_is_kept_and_carried_out(
    running: RunningEcr, ecr: Any, name: str
) -> None:
    missing = "LifecyclePolicyNotFoundException"
    refused(missing, ecr.get_lifecycle_policy, repositoryName=name)
    put_image(ecr, name, "old")
    newest = put_image(ecr, name, "new", annotations={"newest": "one"})
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=LIFECYCLE)
    store, clock = running.registry.store, running.registry.clock
    assert running.registry.run(expire(store, clock.now())) == 1
    assert ecr.list_images(repositoryName=name)["imageIds"] == [
        {"imageDigest": newest, "imageTag": "new"}
    ]
    got = ecr.get_lifecycle_policy(repositoryName=name)
    assert got["lifecyclePolicyText"] == LIFECYCLE
    assert "lastEvaluatedAt" in got
    ecr.delete_lifecycle_policy(repositoryName=name)
    refused(missing, ecr.delete_lifecycle_policy, repositoryName=name)
    wrong = LIFECYCLE.replace("expire", "forget")
    refused(
        "InvalidParameterException",
        ecr.put_lifecycle_policy,
        repositoryName=name,
        lifecyclePolicyText=wrong,
    )


def test_the_registry_and_scanning_settings_are_told(ecr: Any, name: str) -> None:
    assert ecr.describe_registry()["registryId"] == ACCOUNT
    ecr.put_image_scanning_configuration(
        repositoryName=name, imageScanningConfiguration={"scanOnPush": True}
    )
    (found,) = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}


def test_referrers_are_listed(ecr: Any, name: str) -> None:
    digest = put_image(ecr, name, "v1")
    subject = descriptor("application/vnd.oci.image.manifest.v1+json", manifest())
    put_image(ecr, name, "sbom", artifactType="application/vnd.example.sbom", subject=subject)
    (referrer,) = ecr.list_image_referrers(repositoryName=name, subjectId={"imageDigest": digest})[
        "referrers"
    ]
    assert referrer["artifactType"] == "application/vnd.example.sbom"
    other = {"artifactTypes": ["application/vnd.example.other"]}
    listed = ecr.list_image_referrers(
        repositoryName=name, subjectId={"imageDigest": digest}, filter=other
    )
    assert listed["referrers"] == []


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("start_image_scan", {"repositoryName": "kept", "imageId": {"imageTag": "v1"}}),
        (
            "create_repository",
            {"repositoryName": "kept", "encryptionConfiguration": {"encryptionType": "KMS"}},
        ),
    ],
)
def test_what_is_not_built_says_so(ecr: Any, operation: str, request_: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(ecr, operation)(**request_)
    response = caught.value.response
    assert response["Error"]["Code"] == "NotImplemented"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 501
