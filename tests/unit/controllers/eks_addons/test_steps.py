"""What becomes of an add-on and of its updates."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from longshore.controllers.eks_addons import steps
from longshore.model.eks import Issue
from longshore.model.eks_parts import Addon, AddonStatus

WRONG = Issue("InsufficientNumberOfReplicas", "too few")
ADDON = Addon(
    cluster="shop",
    name="coredns",
    arn="arn",
    id="1",
    version="v1",
    created_at=100.0,
    modified_at=100.0,
)
NEW = AddonStatus(id="1")


def after(status, wrong, now):
    return steps.looked(status, wrong, now)


def installed():
    return steps.applied(ADDON, NEW, 100.0).status


def active():
    return after(installed(), None, 110.0).status


def test_an_add_on_is_creating_until_its_pods_run():
    assert steps.is_due(ADDON, NEW)
    creating = installed()
    assert not steps.is_due(ADDON, creating)
    assert (creating.status, creating.version) == ("CREATING", "v1")
    outcome = after(creating, WRONG, 200.0)
    assert (outcome.status.status, outcome.update) == ("CREATING", "")
    outcome = after(outcome.status, None, 201.0)
    assert (outcome.status.status, outcome.update) == ("ACTIVE", "Successful")


def test_an_add_on_whose_pods_do_not_come_is_degraded_and_recovers():
    outcome = after(installed(), WRONG, 100.0 + steps.CREATE_SECONDS)
    assert (outcome.status.status, outcome.status.issues) == ("DEGRADED", (WRONG,))
    outcome = after(outcome.status, WRONG, 10_000.0)
    assert outcome.status.status == "DEGRADED"
    outcome = after(outcome.status, None, 10_001.0)
    assert (outcome.status.status, outcome.status.issues) == ("ACTIVE", ())


def test_a_pod_that_is_away_for_a_moment_is_no_illness():
    missing = after(active(), WRONG, 500.0).status
    assert missing.status == "ACTIVE"
    assert after(missing, WRONG, 500.0 + steps.FLICKER_SECONDS - 1).status.status == "ACTIVE"
    back = after(missing, None, 530.0).status
    again = after(back, WRONG, 600.0).status
    assert after(again, WRONG, 600.0 + steps.FLICKER_SECONDS - 1).status.status == "ACTIVE"
    assert after(again, WRONG, 600.0 + steps.FLICKER_SECONDS).status.status == "DEGRADED"


def test_an_update_that_does_not_come_about_fails_and_what_it_changed_stays():
    changed = msgspec.structs.replace(ADDON, version="v2", modified_at=1000.0)
    assert steps.is_due(changed, active())
    updating = steps.applied(changed, active(), 1000.0).status
    assert (updating.status, updating.version) == ("UPDATING", "v2")
    assert after(updating, WRONG, 1000.0 + steps.UPDATE_SECONDS - 1).update == ""
    outcome = after(updating, WRONG, 1000.0 + steps.UPDATE_SECONDS)
    assert (outcome.status.status, outcome.update) == ("DEGRADED", "Failed")
    assert [error.code for error in outcome.errors] == ["InsufficientNumberOfReplicas"]


def test_what_cannot_be_applied_fails_until_it_is_changed():
    conflict = steps.conflicting(["ConfigMap coredns - .data.Corefile"])
    outcome = steps.failed(ADDON, NEW, conflict)
    assert (outcome.status.status, outcome.update) == ("CREATE_FAILED", "Failed")
    assert conflict.message.endswith("Conflicts:\nConfigMap coredns - .data.Corefile")
    assert not steps.is_due(ADDON, outcome.status)
    assert steps.again(outcome.status) is None
    assert steps.is_due(msgspec.structs.replace(ADDON, modified_at=101.0), outcome.status)
    outcome = steps.failed(msgspec.structs.replace(ADDON, modified_at=200.0), active(), conflict)
    assert (outcome.status.status, outcome.status.version) == ("UPDATE_FAILED", "v1")


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 500)), max_size=20))
def test_an_add_on_is_active_exactly_after_its_pods_were_seen_to_run(looks):
    status, now = installed(), 100.0
    for healthy, seconds in looks:
        now += seconds
        outcome = after(status, None if healthy else WRONG, now)
        status = outcome.status
        assert not healthy or status.status == "ACTIVE"
        assert (status.issues != ()) == (status.status == "DEGRADED")
        assert (outcome.update == "Failed") == (status.status == "DEGRADED")
        assert steps.again(status) is not None
