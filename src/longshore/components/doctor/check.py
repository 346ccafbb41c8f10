"""The whole examination."""

from pathlib import Path

from longshore.base.installation import DEFAULT_DATA_DIR, Installation, load_installation
from longshore.components.directory import ComponentsDirectory
from longshore.components.doctor import facts, judgement
from longshore.components.doctor.finding import Finding
from longshore.components.doctor.kernel import try_features
from longshore.components.installer import states


def check(
    port: int | None = None,
    data_dir: Path = DEFAULT_DATA_DIR,
    directory: ComponentsDirectory | None = None,
) -> list[Finding]:
    """Everything that Longshore needs of this machine, in about two seconds.

    `port` is by default the one that the installation in `data_dir` has, or will have. Without
    root, what only root can try is left out and a finding says so.
    """
    saved = load_installation(data_dir)
    installation = saved or Installation(data_dir=data_dir)
    ports = [(port or installation.port) + step for step in range(3)]
    directory = directory or ComponentsDirectory.from_environment()
    machine = facts.gather(data_dir, ports, installation.listen)
    found = states(directory)
    return [
        *judgement.rights(machine),
        *judgement.processor(machine),
        *judgement.features(try_features(machine.disk_path, directory) if machine.root else None),
        *judgement.cgroups(machine),
        *judgement.ports(machine),
        *judgement.space(machine),
        *judgement.clock(machine),
        *judgement.components(found),
    ]
