"""The OCI distribution specification 1.1, endpoint by endpoint, over HTTPS."""

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from longshore.model.ecr import LARGEST_LAYER
from longshore.testing.registry import RunningRegistry
from longshore.testing.registry_client import (
    CONFIG,
    DOCKER_MANIFEST,
    LAYER,
    OCI_INDEX,
    OCI_MANIFEST,
    OCTETS,
    Client,
    descriptor,
    error,
    manifest,
    sha256,
)


@pytest.fixture
def client(registry: RunningRegistry) -> Iterator[Client]:
    with Client(registry) as client:
        yield client


def begin(client: Client, repository: str) -> str:
    answer = client("POST", f"/v2/{repository}/blobs/uploads/")
    assert answer.status == 202
    return str(answer.headers["Location"])


def test_ping_says_that_this_is_a_registry(client: Client) -> None:
    answer = client("GET", "/v2/")
    assert answer.status == 200
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


def test_a_blob_uploaded_at_once_is_pulled_whole_and_in_ranges(
    client: Client, repository: str
) -> None:
    content = bytes(range(256)) * 9000
    path = f"/v2/{repository}/blobs/{client.push_blob(repository, content)}"
    head = client("HEAD", path)
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(content)))
    assert head.headers["Docker-Content-Digest"] == sha256(content)
    assert client("GET", path).data == content
    part = client("GET", path, range="bytes=1000000-1999999")
    assert (part.status, part.data) == (206, content[1_000_000:2_000_000])
    assert part.headers["Content-Range"] == f"bytes 1000000-1999999/{len(content)}"
    assert client("GET", path, range="bytes=-7").data == content[-7:]
    assert client("GET", path, range=f"bytes={len(content)}-").status == 416


def test_a_blob_is_uploaded_by_post_then_put(client: Client, repository: str) -> None:
    location = begin(client, repository)
    answer = client("PUT", f"{location}?digest={sha256(LAYER)}", LAYER, content_type=OCTETS)
    assert answer.status == 201
    assert client("GET", str(answer.headers["Location"])).data == LAYER


def test_a_blob_is_uploaded_in_chunks_in_order(client: Client, repository: str) -> None:
    location = begin(client, repository)
    first = client("PATCH", location, b"abc", content_range="0-2", content_type=OCTETS)
    assert (first.status, first.headers["Range"]) == (202, "0-2")
    out_of_order = client("PATCH", location, b"x", content_range="7-7", content_type=OCTETS)
    assert error(out_of_order) == (416, "BLOB_UPLOAD_INVALID")
    state = client("GET", location)
    assert (state.status, state.headers["Range"]) == (204, "0-2")
    second = client("PATCH", location, b"def", content_range="3-5", content_type=OCTETS)
    assert second.status == 202
    answer = client("PUT", f"{location}?digest={sha256(b'abcdefg')}", b"g", content_range="6-6")
    assert answer.status == 201
    assert client("GET", f"/v2/{repository}/blobs/{sha256(b'abcdefg')}").data == b"abcdefg"
    assert error(client("GET", location)) == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("header", ["0-99", "2-0", "abc", "0-", "bytes */5", "-1-2", "1e3-4"])
def test_a_content_range_that_does_not_fit_its_body_is_refused(
    client: Client, repository: str, header: str
) -> None:
    location = begin(client, repository)
    refused = client("PATCH", location, b"abc", content_range=header)
    assert error(refused) == (416, "BLOB_UPLOAD_INVALID")
    assert client("GET", location).headers["Range"] == "0-0"


@pytest.mark.parametrize("body", [b"x" * 8, [b"x" * 4, b"x" * 4]], ids=["announced", "chunked"])
def test_a_layer_larger_than_ecr_takes_is_refused(
    registry: RunningRegistry, client: Client, repository: str, body: Any
) -> None:
    location = begin(client, repository)
    upload = location.partition("?")[0].rpartition("/")[2]
    data = registry.installation.data_dir / "registry" / "uploads" / upload / "data"
    # As if all but its last four bytes had been sent before: a hole takes no room on the disk.
    os.truncate(data, LARGEST_LAYER - 4)
    refused = client("PATCH", location, body, content_type=OCTETS)
    assert error(refused) == (413, "SIZE_INVALID")
    assert data.stat().st_size <= LARGEST_LAYER
    assert client("DELETE", location).status == 204


def test_an_upload_is_aborted(client: Client, repository: str) -> None:
    location = begin(client, repository)
    assert client("DELETE", location).status == 204
    assert error(client("PATCH", location, b"abc")) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_sha512_digests_are_taken(client: Client, repository: str) -> None:
    digest = f"sha512:{hashlib.sha512(LAYER).hexdigest()}"
    location = begin(client, repository)
    assert client("PUT", f"{location}?digest={digest}", LAYER).status == 201
    assert client("GET", f"/v2/{repository}/blobs/{digest}").data == LAYER
    client.push_parts(repository)
    content = manifest()
    named = f"sha512:{hashlib.sha512(content).hexdigest()}"
    path = f"/v2/{repository}/manifests/{named}"
    assert client("PUT", path, content, content_type=OCI_MANIFEST).status == 201
    assert client("GET", path).data == content


def test_content_with_another_digest_is_refused_and_nothing_is_kept(
    client: Client, repository: str
) -> None:
    wrong = sha256(b"something else")
    location = begin(client, repository)
    assert error(client("PUT", f"{location}?digest={wrong}", LAYER)) == (400, "DIGEST_INVALID")
    assert error(client("GET", location)) == (404, "BLOB_UPLOAD_UNKNOWN")
    for digest in (wrong, sha256(LAYER)):
        assert client("HEAD", f"/v2/{repository}/blobs/{digest}").status == 404
    client.push_parts(repository)
    refused = client("PUT", f"/v2/{repository}/manifests/{wrong}", manifest())
    assert error(refused) == (400, "DIGEST_INVALID")


def test_another_repositorys_blob_is_mounted(
    registry: RunningRegistry, client: Client, repository: str
) -> None:
    source = f"{repository}-source"
    registry.create_repository(source)
    digest = client.push_blob(source, b"shared by mounting")
    path = f"/v2/{repository}/blobs/{digest}"
    assert error(client("GET", path)) == (404, "BLOB_UNKNOWN")
    mounted = client("POST", f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}")
    assert mounted.status == 201
    assert client("GET", path).data == b"shared by mounting"
    absent = sha256(b"never pushed")
    refused = client("POST", f"/v2/{repository}/blobs/uploads/?mount={absent}&from={source}")
    assert refused.status == 202


def test_a_blob_is_not_mounted_from_where_the_caller_may_not_pull(
    registry: RunningRegistry, client: Client, repository: str
) -> None:
    source = f"{repository}-secret"
    registry.create_repository(source)
    digest = client.push_blob(source, b"secret")
    registry.everybody.denied.add("ecr:GetDownloadUrlForLayer")
    answer = client("POST", f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}")
    assert answer.status == 202
    registry.everybody.denied.clear()
    assert error(client("GET", f"/v2/{repository}/blobs/{digest}")) == (404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_a_manifest_is_pushed_and_pulled_by_tag_and_digest(
    client: Client, repository: str, media_type: str
) -> None:
    client.push_parts(repository)
    content = manifest(media_type)
    digest = client.push_manifest(repository, content, "v1", media_type)
    assert digest == sha256(content)
    for reference in ("v1", digest):
        path = f"/v2/{repository}/manifests/{reference}"
        got = client("GET", path)
        assert (got.data, got.headers["Content-Type"]) == (content, media_type)
        assert got.headers["Docker-Content-Digest"] == digest
        head = client("HEAD", path)
        assert (head.status, head.data) == (200, b"")
        assert head.headers["Content-Length"] == str(len(content))


def test_a_manifest_whose_blobs_are_missing_is_refused(client: Client, repository: str) -> None:
    client.push_blob(repository, CONFIG)
    path = f"/v2/{repository}/manifests/v1"
    assert error(client("PUT", path, manifest())) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert error(client("GET", path)) == (404, "MANIFEST_UNKNOWN")
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [descriptor(OCI_MANIFEST, manifest())],
        }
    )
    refused = client("PUT", path, index.encode(), content_type=OCI_INDEX)
    assert error(refused) == (400, "MANIFEST_BLOB_UNKNOWN")


def test_an_index_lists_images_of_several_platforms(client: Client, repository: str) -> None:
    client.push_parts(repository)
    client.push_manifest(repository, manifest())
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                descriptor(
                    OCI_MANIFEST, manifest(), platform={"os": "linux", "architecture": "amd64"}
                )
            ],
        }
    ).encode()
    client.push_manifest(repository, index, "multi", OCI_INDEX)
    assert client("GET", f"/v2/{repository}/manifests/multi").data == index
    listed = client("DELETE", f"/v2/{repository}/manifests/{sha256(manifest())}")
    assert error(listed) == (409, "DENIED")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b'{"schemaVersion": 1, "name": "x", "fsLayers": []}',
        b'{"schemaVersion": 2}',
        b'{"schemaVersion": 2, "config": {"digest": "sha256:../../x", "size": 2}, "layers": []}',
        b'{"schemaVersion": 2, "layers": []}',
        b"[" * 200_000,
        json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode(),
    ],
)
def test_what_is_no_image_manifest_is_refused(
    client: Client, repository: str, content: bytes
) -> None:
    refused = client("PUT", f"/v2/{repository}/manifests/v1", content, content_type=OCI_MANIFEST)
    assert error(refused) == (400, "MANIFEST_INVALID")


def test_a_huge_manifest_is_refused(client: Client, repository: str) -> None:
    content = manifest(annotations={"x": "y" * 5_000_000})
    refused = client("PUT", f"/v2/{repository}/manifests/v1", content)
    assert error(refused) == (413, "SIZE_INVALID")


def test_images_and_tags_are_deleted(client: Client, repository: str) -> None:
    client.push_parts(repository)
    digest = client.push_manifest(repository, manifest(), "v1")
    client.push_manifest(repository, manifest(), "v2")
    assert client("DELETE", f"/v2/{repository}/manifests/v2").status == 202
    assert client("GET", f"/v2/{repository}/manifests/v2").status == 404
    assert client("GET", f"/v2/{repository}/manifests/v1").status == 200
    assert client("DELETE", f"/v2/{repository}/manifests/{digest}").status == 202
    assert error(client("GET", f"/v2/{repository}/manifests/v1")) == (404, "MANIFEST_UNKNOWN")
    assert client("DELETE", f"/v2/{repository}/manifests/{digest}").status == 404


def test_tags_come_in_pages_in_order(client: Client, repository: str) -> None:
    client.push_parts(repository)
    for tag in ("b", "C", "a", "v10", "v9"):
        client.push_manifest(repository, manifest(), tag)
    path = f"/v2/{repository}/tags/list"
    assert client("GET", path).json() == {
        "name": repository,
        "tags": ["C", "a", "b", "v10", "v9"],
    }
    seen: list[str] = []
    following: str | None = f"{path}?n=2"
    while following:
        answer = client("GET", following)
        seen += answer.json()["tags"]
        link = answer.headers.get("Link")
        following = link[1 : link.index(">")] if link else None
        if following:
            assert parse_qs(urlparse(following).query)["n"] == ["2"]
    assert seen == ["C", "a", "b", "v10", "v9"]
    assert client("GET", f"{path}?n=0").json()["tags"] == []
    assert client("GET", f"{path}?last=b").json()["tags"] == ["v10", "v9"]
    assert error(client("GET", f"{path}?n=many")) == (400, "PAGINATION_NUMBER_INVALID")


def test_referrers_are_found_by_their_subject(client: Client, repository: str) -> None:
    client.push_parts(repository)
    subject = descriptor(OCI_MANIFEST, manifest())
    path = f"/v2/{repository}/referrers/{subject['digest']}"
    assert client("GET", path).json()["manifests"] == []
    signature = manifest(
        artifactType="application/vnd.example.signature",
        subject=subject,
        annotations={"by": "somebody"},
    )
    pushed = client(
        "PUT",
        f"/v2/{repository}/manifests/{sha256(signature)}",
        signature,
        content_type=OCI_MANIFEST,
    )
    assert (pushed.status, pushed.headers["OCI-Subject"]) == (201, subject["digest"])
    sbom = manifest(artifactType="application/vnd.example.sbom", subject=subject)
    client.push_manifest(repository, sbom)
    everything = client("GET", path)
    assert everything.headers["Content-Type"] == OCI_INDEX
    assert {entry["digest"] for entry in everything.json()["manifests"]} == {
        sha256(signature),
        sha256(sbom),
    }
    some = client("GET", f"{path}?artifactType=application/vnd.example.signature")
    assert some.headers["OCI-Filters-Applied"] == "artifactType"
    assert some.json()["manifests"] == [
        {
            "mediaType": OCI_MANIFEST,
            "digest": sha256(signature),
            "size": len(signature),
            "artifactType": "application/vnd.example.signature",
            "annotations": {"by": "somebody"},
        }
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../../etc/passwd/manifests/v1",
        "/v2/%2e%2e%2f%2e%2e%2fetc/manifests/v1",
        "/v2/Upper/manifests/v1",
        "/v2/a//b/manifests/v1",
        "/v2/" + "a" * 300 + "/manifests/v1",
        "/v2/a@b/tags/list",
        "/v2/a:b/tags/list",
    ],
)
def test_names_that_no_repository_has_are_refused(client: Client, path: str) -> None:
    status, _ = error(client("GET", path))
    assert status in {400, 404}


@pytest.mark.parametrize("digest", ["sha256:abc", "md5:" + "a" * 32, "sha256:..%2f..%2fx", "x"])
def test_digests_of_the_wrong_shape_are_refused(
    client: Client, repository: str, digest: str
) -> None:
    assert error(client("GET", f"/v2/{repository}/blobs/{digest}"))[0] in {400, 404}
    assert client("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}").status == 400


def test_what_the_specification_does_not_have_is_told_apart(
    client: Client, repository: str
) -> None:
    assert error(client("GET", "/v2/_catalog"))[1] == "UNSUPPORTED"
    assert error(client("POST", f"/v2/{repository}/tags/list")) == (405, "UNSUPPORTED")
    digest = client.push_blob(repository, LAYER)
    assert error(client("DELETE", f"/v2/{repository}/blobs/{digest}")) == (405, "UNSUPPORTED")
