"""What nodes are told when they boot."""

import base64
import json
from email.parser import BytesParser
from email.policy import compat32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.controllers.eks_nodegroup.template import max_pods
from longshore.controllers.eks_nodegroup.trouble import Trouble
from longshore.controllers.eks_nodegroup.user_data import merged

CONFIG = {"kind": "NodeConfig"}
TYPES = ("text/x-shellscript", "text/cloud-config", "application/node.eks.aws")
LINES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200).filter(
    lambda line: not line.startswith("--MINE")
)
BODIES = st.lists(st.one_of(LINES, st.sampled_from(["--//", "--//--", "--///", ""])), max_size=6)


def archive(parts):
    blocks = "".join(
        f'--MINE\nContent-Type: {kind}; charset="us-ascii"\n\n{body}\n' for kind, body in parts
    )
    head = 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="MINE"\n\n'
    return base64.b64encode(f"{head}{blocks}--MINE--\n".encode()).decode()


def parts(user_data):
    message = BytesParser(policy=compat32).parsebytes(base64.b64decode(user_data))
    assert message.is_multipart()
    return [(each.get_content_type(), each.get_payload()) for each in message.get_payload()]


@given(st.lists(st.tuples(st.sampled_from(TYPES), BODIES), min_size=1, max_size=4))
def test_the_users_parts_are_kept_whatever_is_in_them_and_eks_own_comes_last(drawn):
    theirs = [(kind, "\n".join(lines)) for kind, lines in drawn]
    found = parts(merged(archive(theirs), CONFIG))
    assert len(found) == len(theirs) + 1
    for (kind, body), (found_kind, found_body) in zip(theirs, found, strict=False):
        assert kind == found_kind
        assert found_body.rstrip("\n") == body.rstrip("\n")
    kind, own = found[-1]
    assert (kind, json.loads(own)) == ("application/node.eks.aws", CONFIG)


def test_without_a_part_of_the_users_there_is_eks_own_alone():
    assert [kind for kind, _ in parts(merged("", CONFIG))] == ["application/node.eks.aws"]


@pytest.mark.parametrize("content", [b"#!/bin/sh\n", b"\xff\xfe", b"Content-Type: text/plain\n\n"])
def test_what_is_no_archive_is_refused(content):
    with pytest.raises(Trouble) as caught:
        merged(base64.b64encode(content).decode(), CONFIG)
    assert caught.value.issue.code == "Ec2LaunchTemplateInvalidConfiguration"


def test_what_is_not_even_base64_is_refused():
    with pytest.raises(Trouble):
        merged("%%%", CONFIG)


@pytest.mark.parametrize(
    ("types", "most"),
    [
        (["t3.medium"], 17),
        (["t3.large"], 35),
        (["m5.large"], 29),
        # Four interfaces of fifteen addresses would be 58, but there is one interface.
        (["m5.xlarge"], 51),
        (["m5.xlarge", "t3.medium"], 17),
        (["t3.nano"], 4),
    ],
)
def test_pods_are_as_many_as_have_addresses(types, most):
    assert max_pods(types) == most
