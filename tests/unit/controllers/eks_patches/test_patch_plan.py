"""In which order control planes come to a new platform version, and what stops that."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from longshore.controllers.eks_patches.nodegroups import Group, following, is_newer
from longshore.controllers.eks_patches.plan import (
    AT_ONCE,
    BLAMED_SECONDS,
    PATCH_SECONDS,
    QUIET_SECONDS,
    RETRY_SECONDS,
    SOAK_SECONDS,
    Plane,
    plan,
)
from longshore.model.eks_platforms import DONE, FAILED, ROLLING, Patch, Platform
from longshore.store.interface import Key

NOW = 2_000_000_000.0
NEW = {
    "1.35": Platform(minor="1.35", number=2, digest="b", since=NOW - QUIET_SECONDS),
    "1.36": Platform(minor="1.36", number=5, digest="b", since=NOW - QUIET_SECONDS),
}


def plane(name, nodes=1, **fields):
    return Plane(
        **{
            "key": Key("eks.cluster", "111122223333", "us-east-1", name),
            "id": name,
            "minor": "1.35",
            "platform": "eks.1",
            "settled": True,
            "sound": True,
            "nodes": nodes,
            "created_at": NOW - 1000,
            **fields,
        }
    )


def patch(name, state, at, **fields):
    return Patch(
        **{
            "id": name,
            "minor": "1.35",
            "platform": "eks.2",
            "before": "eks.1",
            "state": state,
            "began_at": at,
            "ended_at": 0.0 if state == ROLLING else at,
            **fields,
        }
    )


def names(planes):
    return [each.id for each in planes]


class Fleet:
    """Clusters, and a clock: what plans say is carried out."""

    def __init__(self, planes, newest=NEW):
        self.planes = {each.id: each for each in planes}
        self.newest, self.now = newest, NOW

    def step(self):
        told = plan(self.planes.values(), self.newest, self.now)
        for each in told.forget:
            self._put(each, patch=None)
        for each in told.begin:
            target = self.newest[each.minor].name
            begun = patch(each.id, ROLLING, self.now, minor=each.minor, platform=target)
            self._put(each, patch=begun)
        for state, concerned in ((DONE, told.end), (FAILED, told.fail)):
            for each in concerned:
                ended = msgspec.structs.replace(each.patch, state=state, ended_at=self.now)
                self._put(each, patch=ended)
        return told

    def _put(self, plane, **fields):
        self.planes[plane.id] = self.planes[plane.id]._replace(**fields)

    def rolling(self):
        found = self.planes.values()
        return [each.id for each in found if each.patch and each.patch.state == ROLLING]

    def arrive(self, name):
        found = self.planes[name]
        self._put(found, platform=found.patch.platform)

    def settle(self):
        """Steps until the next one waits for time."""
        while (told := self.step()).wait == 0:
            pass
        return told.wait


def test_the_smallest_goes_first_and_alone_and_others_follow_a_few_at_a_time():
    fleet = Fleet([plane(f"c{number}", nodes=number) for number in range(6)])
    fleet.settle()
    assert fleet.rolling() == ["c0"]
    fleet.arrive("c0")
    assert fleet.settle() == SOAK_SECONDS
    assert fleet.rolling() == []
    fleet.now += SOAK_SECONDS
    fleet.settle()
    assert fleet.rolling() == ["c1", "c2", "c3"]
    fleet.arrive("c2")
    fleet.settle()
    assert fleet.rolling() == ["c1", "c3"]
    fleet.now += SOAK_SECONDS
    fleet.settle()
    assert fleet.rolling() == ["c1", "c3", "c4"]


def test_one_that_does_not_arrive_in_time_fails_and_stops_the_rest_of_its_version():
    others = [plane("new", minor="1.36", platform="eks.4"), plane("b", nodes=2)]
    fleet = Fleet([plane("a"), *others])
    fleet.settle()
    assert fleet.rolling() == ["a", "new"]
    fleet.now += PATCH_SECONDS - 1
    fleet.arrive("new")
    fleet.settle()
    fleet.now += 1
    fleet.settle()
    assert fleet.planes["a"].patch.state == FAILED
    assert fleet.rolling() == []
    fleet.now += RETRY_SECONDS - 1
    fleet.settle()
    assert fleet.rolling() == []
    fleet.now += 1
    fleet.settle()
    assert fleet.rolling() == ["a"]


def test_nobody_follows_one_that_is_not_well():
    fleet = Fleet([plane("a"), plane("b", nodes=2)])
    fleet.settle()
    fleet.arrive("a")
    fleet.settle()
    fleet._put(fleet.planes["a"], sound=False)
    fleet.now += SOAK_SECONDS * 10
    fleet.settle()
    assert fleet.rolling() == []
    fleet._put(fleet.planes["a"], sound=True)
    fleet.settle()
    assert fleet.rolling() == ["b"]


def test_one_that_stays_ill_for_a_day_holds_nobody_up_any_longer():
    fleet = Fleet([plane("a"), plane("b", nodes=2)])
    fleet.settle()
    fleet.arrive("a")
    fleet.settle()
    fleet._put(fleet.planes["a"], sound=False)
    fleet.now += SOAK_SECONDS
    assert fleet.settle() == BLAMED_SECONDS - SOAK_SECONDS
    assert fleet.rolling() == []
    fleet.now += BLAMED_SECONDS - SOAK_SECONDS
    fleet.settle()
    assert fleet.rolling() == ["b"]


def test_clusters_that_are_being_changed_or_are_ill_wait():
    left = [plane("a", settled=False), plane("b", sound=False), plane("c", platform="eks.2")]
    told = plan(left, NEW, NOW)
    assert (names(told.begin), told.wait) == ([], None)


def test_a_new_platform_version_rests_at_first_and_overtakes_an_older_patch():
    later = {"1.35": msgspec.structs.replace(NEW["1.35"], number=3, since=NOW)}
    failed = plane("a", patch=patch("a", FAILED, NOW - 5))
    fleet = Fleet([failed], later)
    assert fleet.settle() == QUIET_SECONDS
    assert fleet.planes["a"].patch is None
    fleet.now += QUIET_SECONDS
    fleet.settle()
    assert fleet.planes["a"].patch.platform == "eks.3"


def test_patches_of_what_has_changed_meanwhile_are_forgotten():
    upgraded = plane("a", minor="1.36", platform="eks.5", patch=patch("a", ROLLING, NOW))
    another = plane("b", patch=patch("earlier", DONE, NOW))
    told = plan([upgraded, another], NEW, NOW)
    assert names(told.forget) == ["a", "b"]


def test_one_that_arrives_late_has_arrived():
    late = plane("a", platform="eks.2", patch=patch("a", FAILED, NOW - 5))
    assert names(plan([late], NEW, NOW).end) == ["a"]


@given(st.data())
def test_every_cluster_gets_there_and_never_more_than_a_few_at_once(data):
    count = data.draw(st.integers(1, 8))
    minors = [data.draw(st.sampled_from(sorted(NEW))) for _ in range(count)]
    fleet = Fleet([plane(f"c{n}", nodes=n, minor=minor) for n, minor in enumerate(minors)])
    done: set[str] = set()
    for _ in range(200):
        wait = fleet.settle()
        rolling = fleet.rolling()
        assert len(rolling) <= AT_ONCE
        for minor in set(minors):
            own = [each for each in rolling if fleet.planes[each].minor == minor]
            if not any(fleet.planes[each].minor == minor for each in done):
                assert len(own) <= 1
        if rolling:
            arriving = data.draw(st.sampled_from(rolling))
            fleet.arrive(arriving)
            done.add(arriving)
            continue
        if wait is None:
            break
        fleet.now += wait
    assert all(each.platform == NEW[each.minor].name for each in fleet.planes.values())


def group(name, cluster="web", **fields):
    return Group(
        **{
            "key": Key("eks.nodegroup", "111122223333", "us-east-1", f"{cluster}/{name}"),
            "cluster": Key("eks.cluster", "111122223333", "us-east-1", cluster),
            "release": "1.35.4-20261120",
            "newest": "1.35.5-20261201",
            "wants": True,
            "free": True,
            "updating": False,
            **fields,
        }
    )


def test_node_groups_follow_one_after_another_where_their_owner_wants_that():
    one, two = group("one"), group("two")
    assert following([two, one]) == [one]
    assert following([one._replace(updating=True, free=False), two]) == []
    others = [group("a", cluster=name) for name in ("x", "y", "z")]
    assert following(others) == others[:2]
    assert following([group("a", wants=False), group("b", free=False)]) == []
    refused = group("a", refused=frozenset({"1.35.5-20261201"}))
    assert following([refused]) == []


def test_only_a_later_release_is_newer():
    assert is_newer("1.35.5-20261201", "1.35.4-20261120")
    assert is_newer("1.35.4-20261201", "1.35.4-20261120")
    assert is_newer("1.35.10-20261120", "1.35.9-20261120")
    assert not is_newer("1.35.4-20261120", "1.35.4-20261120")
    assert not is_newer("1.35.3-20261201", "1.35.4-20261120")
    assert not is_newer("", "1.35.4-20261120")
    assert not is_newer("1.35.5-20261201", "")
