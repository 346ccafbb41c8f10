"""How long instances wait for lifecycle actions: pure decisions."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.controllers.auto_scaling.hooks import verdict
from longshore.model.auto_scaling import ON_LAUNCH, LifecycleAction, LifecycleHook

NOW = 1_000_000.0


def hook(name="a", *, seconds=100, result="ABANDON"):
    return LifecycleHook(
        group="web",
        name=name,
        transition=ON_LAUNCH,
        heartbeat_seconds=seconds,
        default_result=result,
    )


def action(name="a", *, ago=0.0, beat=None, result=""):
    since = NOW - ago
    heartbeat = since if beat is None else NOW - beat
    return LifecycleAction(
        hook=name, token=f"token-{name}", since=since, heartbeat_at=heartbeat, result=result
    )


def found(*actions, **hooks):
    return verdict(actions, hooks, NOW)


def test_an_instance_waits_until_its_action_is_completed_or_times_out():
    assert found(action(ago=40), a=hook()) == ("", 60, "", "")
    assert found(action(ago=40, result="CONTINUE"), a=hook()).result == "CONTINUE"
    assert found(action(ago=100), a=hook(result="CONTINUE")).result == "CONTINUE"


def test_who_abandons_is_named():
    done = found(action(result="ABANDON"), a=hook())
    assert (done.token, done.why) == ("token-a", "Lifecycle Action Completed with ABANDON Result")
    late = found(action(ago=100), a=hook())
    assert (late.result, late.why) == ("ABANDON", "Heartbeat Timeout")


def test_a_heartbeat_gives_the_whole_time_again():
    assert found(action(ago=500, beat=10), a=hook()).seconds == 90


def test_no_heartbeat_lengthens_the_waiting_beyond_a_hundred_times_or_two_days():
    assert found(action(ago=9_990, beat=0), a=hook()).seconds == 10
    assert found(action(ago=10_000, beat=0), a=hook()).result == "ABANDON"
    two_days = 48 * 3600
    assert found(action(ago=two_days - 1, beat=0), a=hook(seconds=7200)).seconds == 1
    assert found(action(ago=two_days, beat=0), a=hook(seconds=7200)).result == "ABANDON"


def test_all_hooks_are_waited_for_and_the_first_to_abandon_ends_that():
    both = {"a": hook(), "b": hook("b")}
    assert found(action(result="CONTINUE"), action("b"), **both).result == ""
    assert found(action("b"), action(result="ABANDON"), **both).result == "ABANDON"


ACTIONS = st.lists(
    st.tuples(
        st.floats(0, 300),
        st.sampled_from(["", "CONTINUE", "ABANDON"]),
        st.integers(30, 200),
        st.sampled_from(["CONTINUE", "ABANDON"]),
    ),
    max_size=5,
)


@given(ACTIONS)
def test_a_verdict_is_what_the_actions_say_one_by_one(given_actions):
    names = [f"h{number}" for number in range(len(given_actions))]
    hooks = {
        name: hook(name, seconds=seconds, result=default)
        for name, (_, _, seconds, default) in zip(names, given_actions, strict=True)
    }
    actions = [
        action(name, ago=ago, result=result)
        for name, (ago, result, _, _) in zip(names, given_actions, strict=True)
    ]
    results = [
        result or (default if ago >= seconds else "")
        for ago, result, seconds, default in given_actions
    ]
    told = verdict(actions, hooks, NOW)
    if "ABANDON" in results:
        assert told.result == "ABANDON"
    elif "" in results:
        assert told.result == ""
        assert verdict(actions, hooks, NOW + told.seconds + 0.001).seconds != told.seconds
    else:
        assert told.result == "CONTINUE"
