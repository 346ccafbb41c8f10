"""Files that are written whole or not at all."""

import os
from pathlib import Path


def replace_file(path: Path, content: bytes, mode: int = 0o600, *, synced: bool = True) -> None:
    """Replace a file in one step; what is there stays where that fails (`OSError`).

    `synced` has it survive a crash of the machine, and not only of the process.
    """
    draft = path.with_suffix(".new")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            if synced:
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def have_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write the file unless it is so already: then a start takes no room on a full disk."""
    if path.exists() and path.read_bytes() == content:
        return
    replace_file(path, content, mode, synced=False)


def write_over(path: Path, content: bytes) -> None:
    """Write a file of the machine's, whose mode stays, unless it is so already: whole or not at
    all, but in place where the file is a mount of its own, as in containers."""
    if path.exists() and path.read_bytes() == content:
        return
    draft = path.with_name(f".{path.name}.longshore-new")
    try:
        draft.write_bytes(content)
        mode = path.stat().st_mode & 0o7777 if path.exists() else 0o644
        draft.chmod(mode)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        path.write_bytes(content)
