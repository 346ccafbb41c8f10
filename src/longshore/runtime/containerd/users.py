"""Who a container's process runs as: names are looked up in the image's own files."""

from pathlib import Path

from longshore.runtime.interface import RuntimeFailure

Ids = tuple[int, int, tuple[int, ...]]
"""User id, group id, further group ids."""


def ids_of(user: str, root: Path | None) -> Ids:
    """The ids of `user` (`name`, `uid`, `user:group`), with the image mounted at `root`.

    Numbers need no image. Raises `RuntimeFailure` where a name is not known.
    """
    name, _, group = user.partition(":")
    passwd = _lines(root, "etc/passwd")
    entry = _entry(passwd, name or "0")
    if entry is None and not name.isdigit():
        raise RuntimeFailure(
            "CannotStartContainerError", f"unable to find user {name}: no matching entries"
        )
    uid = int(entry[2]) if entry else int(name)
    gid = int(entry[3]) if entry else 0
    groups = _lines(root, "etc/group")
    if group:
        gid = _group(groups, group)
    member = entry[0] if entry else name
    further = tuple(
        int(line[2]) for line in groups if len(line) > 3 and member in line[3].split(",")
    )
    return uid, gid, () if group else tuple(g for g in further if g != gid)


def needs_image(user: str) -> bool:
    """Whether `user` holds a name, which only the image can tell."""
    return any(part and not part.isdigit() for part in user.split(":"))


def _group(groups: list[list[str]], name: str) -> int:
    for line in groups:
        if line[0] == name:
            return int(line[2])
    if name.isdigit():
        return int(name)
    raise RuntimeFailure(
        "CannotStartContainerError", f"unable to find group {name}: no matching entries"
    )


def _entry(passwd: list[list[str]], name: str) -> list[str] | None:
    for line in passwd:
        if len(line) > 3 and name in {line[0], line[2]}:
            return line
    return None


def _lines(root: Path | None, name: str) -> list[list[str]]:
    """Fields of a colon-separated file; a link that leads out of the image is not followed."""
    if root is None:
        return []
    path = root / name
    try:
        if not path.resolve().is_relative_to(root.resolve()):
            return []
        text = path.read_text(errors="replace")
    except OSError:
        return []
    lines = [line.split(":") for line in text.splitlines()]
    return [line for line in lines if len(line) > 2 and line[2].isdigit()]
