"""Names that this machine resolves: lines of hosts(5), each with its installation's id behind."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from longshore.base.files import write_over
from longshore.base.installation import Installation
from longshore.base.locks import held_machine_wide

ETC = Path("/etc")
Lines = list[str]


def have_names(installation: Installation, addresses: Mapping[str, str], etc: Path = ETC) -> None:
    """Have each name lead to its address; the installation's other names stay as they are."""
    tag = _tag(installation)

    def change(lines: Lines) -> Lines:
        own = [line for line in lines if line.endswith(tag) and not _names(line, addresses)]
        added = [f"{address} {name} {tag}" for name, address in addresses.items()]
        return [*(line for line in lines if not line.endswith(tag)), *sorted({*own, *added})]

    _change(etc / "hosts", change)


def forget_names(installation: Installation, names: Collection[str], etc: Path = ETC) -> None:
    """Take these names of the installation away."""
    tag = _tag(installation)
    _change(
        etc / "hosts",
        lambda lines: [line for line in lines if not (line.endswith(tag) and _names(line, names))],
    )


def forget_all(installation: Installation, etc: Path = ETC) -> None:
    """Take every name of the installation away."""
    tag = _tag(installation)
    _change(etc / "hosts", lambda lines: [line for line in lines if not line.endswith(tag)])


def _tag(installation: Installation) -> str:
    return f"# longshore {installation.id}"


def _names(line: str, names: Collection[str]) -> bool:
    return line.split()[1] in names


def _change(path: Path, change: Callable[[Lines], Lines]) -> None:
    with held_machine_wide("etc"):
        before = path.read_text() if path.exists() else ""
        lines = change(before.splitlines())
        if lines != before.splitlines():
            write_over(path, ("\n".join(lines) + "\n").encode() if lines else b"")
