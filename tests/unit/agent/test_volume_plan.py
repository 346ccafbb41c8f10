"""What comes next for a volume of a host, with random wishes and random states."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from longshore.agent.volumes.nodes import by_id, node_name
from longshore.agent.volumes.plan import GIB, Action, Found, next_action
from longshore.nodeapi.own import HostVolume

INSTANCES = ("i-1", "i-2")
MOST_STEPS = 12


@dataclass
class World:
    """One volume as it is, and what doing an action makes of it."""

    size: int = 0
    device_size: int = 0
    inside: set[tuple[str, str]] = field(default_factory=set)
    held: bool = False
    copied: bool = False

    def found(self) -> Found:
        return Found(
            size=self.size * GIB,
            device_size=self.device_size * GIB,
            inside=tuple(sorted(self.inside)),
            held=self.held,
            copied=self.copied,
        )

    def do(self, action: Action, wanted: HostVolume) -> None:
        forced = wanted.deleted or wanted.forced
        if action is Action.LEAVE:
            assert forced or not self.held
            self.inside.clear()
            if self.held:
                self.held, self.device_size = False, 0
        elif action is Action.UNBIND:
            assert not self.inside
            self.device_size = 0
        elif action is Action.REMOVE:
            assert wanted.deleted
            assert not self.copied
            assert not self.device_size
            self.size = 0
        elif action is Action.WAIT:
            # Who uses it lets it go.
            self.held = self.copied = False
        else:
            assert not wanted.deleted
            self.bring(action, wanted)

    def bring(self, action: Action, wanted: HostVolume) -> None:
        if action in {Action.MAKE, Action.GROW}:
            assert self.size < wanted.size
            self.size = wanted.size
        elif action in {Action.BIND, Action.SEE_GROWTH}:
            self.device_size = self.size
        elif action is Action.ENTER:
            assert not self.inside
            assert self.device_size >= wanted.size
            self.inside.add((wanted.instance_id, node_name(wanted.device)))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    size = draw(st.integers(0, 3))
    device_size = draw(st.integers(0, size))
    places = st.tuples(st.sampled_from(INSTANCES), st.sampled_from(("xvdf", "xvdba")))
    inside = draw(st.sets(places, max_size=2)) if device_size else set()
    return World(
        size=size,
        device_size=device_size,
        inside=inside,
        held=bool(inside) and draw(st.booleans()),
        copied=draw(st.booleans()),
    )


WISHES = st.builds(
    HostVolume,
    id=st.just("vol-1"),
    size=st.integers(1, 4),
    instance_id=st.sampled_from(("", *INSTANCES)),
    device=st.sampled_from(("/dev/sdf", "/dev/xvdba")),
    forced=st.booleans(),
    deleted=st.booleans(),
)


@given(worlds(), WISHES, st.frozensets(st.sampled_from(INSTANCES)))
def test_every_volume_comes_to_what_is_wanted_of_it(
    world: World, wanted: HostVolume, running: frozenset[str]
) -> None:
    for _ in range(MOST_STEPS):
        action = next_action(wanted, world.found(), running)
        if action is Action.NOTHING:
            break
        world.do(action, wanted)
    else:
        raise AssertionError("it never ends")
    if wanted.deleted:
        assert (world.size, world.device_size, world.inside) == (0, 0, set())
        return
    assert world.size >= wanted.size
    here = wanted.instance_id in running
    assert world.inside == ({(wanted.instance_id, node_name(wanted.device))} if here else set())
    assert bool(world.device_size) == here


@given(worlds(), WISHES.filter(lambda each: not each.forced and not each.deleted))
def test_a_mounted_volume_is_never_taken_away_by_itself(world: World, wanted: HostVolume) -> None:
    world.held = bool(world.inside)
    action = next_action(wanted, world.found(), frozenset(INSTANCES))
    if world.held:
        assert action not in {Action.LEAVE, Action.UNBIND, Action.REMOVE}


def test_a_file_that_is_lost_is_not_made_anew() -> None:
    wanted = HostVolume(id="vol-1", size=1, made=True)
    assert next_action(wanted, Found(), frozenset()) is Action.MISS


def test_a_device_is_named_as_the_kernel_names_it() -> None:
    assert node_name("/dev/sdf") == "xvdf"
    assert node_name("/dev/xvdba") == "xvdba"
    assert by_id("vol-0123") == "nvme-Amazon_Elastic_Block_Store_vol0123"
