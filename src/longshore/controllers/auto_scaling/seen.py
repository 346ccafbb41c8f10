"""A group's member as decisions see it: what is asked of it beside what has become of it."""

from collections.abc import Collection
from dataclasses import dataclass

from longshore.model.auto_scaling import COUNTED, Member
from longshore.model.instances import Instance, InstanceStatus, state_of

STARTING = frozenset({"pending", "running"})
HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Times are epoch seconds. `state` is the instance's; `terminated` where there is none."""

    id: str
    zone: str
    lifecycle: str
    health: str = HEALTHY
    protected: bool = False
    asked: str = ""
    joined_at: float = 0.0
    launched_at: float = 0.0
    in_service_at: float = 0.0
    instead_of: str = ""
    instance_type: str = ""
    spot: bool = False
    template: tuple[str, int] = ("", 0)
    """Id and version of the launch template that it was made of."""
    state: str = "running"
    impaired_since: float = 0.0

    @property
    def live(self) -> bool:
        """It is of use, or is to be."""
        return self.lifecycle in COUNTED and not self.asked


def seen(member: Member, instance: Instance | None, status: InstanceStatus | None) -> Seen:
    named = member.launch_template or {}
    number = str(named.get("Version", ""))
    return Seen(
        id=member.instance_id,
        zone=member.zone,
        lifecycle=member.lifecycle,
        health=member.health,
        protected=member.protected,
        asked=member.asked,
        joined_at=member.joined_at,
        launched_at=instance.launched_at if instance is not None else member.joined_at,
        in_service_at=member.in_service_at,
        instead_of=member.instead_of,
        instance_type=member.instance_type,
        spot=instance is not None and instance.spot,
        template=(
            str(named.get("LaunchTemplateId", "")),
            int(number) if number.isdecimal() else 0,
        ),
        state=state_of(instance, status) if instance is not None else "terminated",
        impaired_since=status.impaired_since if status is not None else 0.0,
    )


def counted(members: Collection[Seen]) -> list[Seen]:
    """The members that stand for desired capacity: of two that follow each other, the old one."""
    live = [each for each in members if each.live]
    ids = {each.id for each in live}
    return [each for each in live if each.instead_of not in ids]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """How long a member serves before it counts as ready."""

    seconds: float = 0.0
    since: float = 0.0
    """Members that joined before this moment need none."""
    now: float

    def left(self, member: Seen) -> float:
        """Seconds until it is over, where the member is InService."""
        if member.joined_at < self.since:
            return 0.0
        return max(0.0, member.in_service_at + self.seconds - self.now)

    def is_ready(self, member: Seen) -> bool:
        """It serves, and has done so for long enough."""
        serves = member.live and member.lifecycle == "InService" and member.health == HEALTHY
        return serves and self.left(member) <= 0
