import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.images.manifest import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    ManifestInvalid,
    parse_manifest,
)
from longshore.model.ecr import valid_digest, valid_name, valid_tag

DIGEST = "sha256:" + "a" * 64

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations"]
)


def image(**more: Any) -> dict[str, Any]:
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 2}
    return {"schemaVersion": 2, "config": config, "layers": [], **more}


def parsed(document: Any, content_type: str = "") -> Any:
    return parse_manifest(json.dumps(document).encode(), content_type)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_manifest_or_refused(content: bytes) -> None:
    try:
        found = parse_manifest(content)
    except ManifestInvalid:
        return
    assert found.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"


@given(member=MEMBERS, value=JSON)
def test_any_member_may_be_wrong(member: str, value: Any) -> None:
    try:
        found = parsed({**image(), member: value})
    except ManifestInvalid:
        return
    assert all(valid_digest(digest) for digest in found.required_blobs)


@given(text=st.text() | st.from_regex(r"[a-z./_-]*", fullmatch=True))
def test_no_name_leads_out_of_its_place(text: str) -> None:
    if valid_name(text):
        assert ".." not in text
        assert "//" not in text
        assert not text.startswith(("/", ".")) and not text.endswith("/")
        assert not set(text) & set("@: \\\0\n%")


@given(text=st.text() | st.from_regex(r"sha(256|512):[0-9a-fA-F]*", fullmatch=True))
def test_digests_are_of_known_algorithms_and_lengths(text: str) -> None:
    if valid_digest(text):
        algorithm, _, digits = text.partition(":")
        assert len(digits) == {"sha256": 64, "sha512": 128}[algorithm]
        assert digits == digits.lower()


def test_names_end_where_they_end() -> None:
    assert not valid_name("web\n")
    assert not valid_tag("v1\n")
    assert not valid_digest(DIGEST + "\n")


def test_the_media_type_is_the_manifests_own_or_the_clients() -> None:
    assert parsed(image(), DOCKER_MANIFEST).media_type == DOCKER_MANIFEST
    assert parsed(image(mediaType=DOCKER_MANIFEST)).media_type == DOCKER_MANIFEST
    assert parsed(image(), f"{OCI_MANIFEST}; charset=utf-8").media_type == OCI_MANIFEST
    assert parsed({"schemaVersion": 2, "manifests": []}).media_type == OCI_INDEX
    with pytest.raises(ManifestInvalid, match="mediaType in manifest should be"):
        parsed(image(mediaType=DOCKER_MANIFEST), OCI_MANIFEST)
    with pytest.raises(ManifestInvalid, match="not supported"):
        parsed(image(), "text/html")


def test_foreign_layers_need_not_be_here() -> None:
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": "sha256:" + "b" * 64,
        "size": 5,
        "urls": ["https://example.com/layer"],
    }
    assert parsed(image(layers=[foreign])).required_blobs == (DIGEST,)


def test_too_many_layers_are_refused() -> None:
    layer = {"mediaType": "x", "digest": DIGEST, "size": 1}
    with pytest.raises(ManifestInvalid, match="layers"):
        parsed(image(layers=[layer] * 4201))
