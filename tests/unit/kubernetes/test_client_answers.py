"""What the client of Kubernetes' API makes of answers."""

import msgspec
import pytest

from longshore.awsapi.http import HttpResponse
from longshore.kubernetes.client import Refused, _answer


def answer(status, body):
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return _answer(HttpResponse(status, [], content))


def refused(status, body):
    with pytest.raises(Refused) as caught:
        answer(status, body)
    return caught.value


def test_an_object_is_given_as_it_is():
    assert answer(200, {"kind": "Pod"}) == {"kind": "Pod"}
    assert answer(200, b"") == {}


def test_an_error_says_what_the_server_says():
    status = {"reason": "NotFound", "message": 'nodes "a" not found', "details": {"name": "a"}}
    error = refused(404, status)
    assert (error.reason, error.message) == ("NotFound", 'nodes "a" not found')
    assert error.is_absence
    assert error.conflicts == ()


def test_a_conflict_names_the_fields_that_others_have():
    said = 'conflict with "kubectl-patch" using v1'
    causes = [
        {"reason": "FieldManagerConflict", "message": said, "field": ".data.Corefile"},
        {"reason": "FieldValueInvalid", "message": "other", "field": ".spec"},
    ]
    error = refused(409, {"reason": "Conflict", "message": "", "details": {"causes": causes}})
    assert error.conflicts == ((".data.Corefile", said),)
    assert not error.is_absence


@pytest.mark.parametrize("body", [b"", b"Bad Gateway", b"[1]", b"null", {"details": None}])
def test_an_error_that_is_no_status_is_one_all_the_same(body):
    assert refused(502, body).status == 502
