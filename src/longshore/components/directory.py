"""Where components lie: `<name>/<version>/` for what was had, `bin/` for what runs."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SETTING = "LONGSHORE_COMPONENTS_DIR"
DEFAULT = Path("/var/cache/longshore/components")


class ComponentsDirectory:
    """The components of this machine, shared by every installation on it.

    `bin/<program>` is a symbolic link that changes in one step and never dangles while a component
    is being exchanged, so a path from `program` may be kept. Any number of processes may work on
    one directory: `locked` lets one at a time have a component.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def from_environment(cls) -> "ComponentsDirectory":
        """The directory that LONGSHORE_COMPONENTS_DIR names, or the default one."""
        return cls(Path(os.environ.get(SETTING) or DEFAULT).absolute())

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def downloads(self) -> Path:
        """Downloads that have not ended; a later try goes on with them."""
        return self.root / "downloads"

    def program(self, name: str) -> Path | None:
        """The link to a program, if what it leads to can be run."""
        link = self.bin / name
        return link if os.access(link, os.X_OK) else None

    def version(self, component: str, version: str) -> Path:
        return self.root / component / version

    @contextmanager
    def locked(self, component: str) -> Iterator[None]:
        """Nobody else installs this component meanwhile; waits for who does."""
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.root / f".{component}.lock"
        # 0600: whoever can read it can lock it.
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def draft(self, component: str) -> Iterator[Path]:
        """A new folder on the same file system; what is left in it at the end is removed.

        Call it under `locked`: drafts that a killed process left behind are removed first.
        """
        prefix = f".{component}-draft-"
        for left in self.root.glob(prefix + "*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self.root))
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, draft: Path, component: str, version: str) -> Path:
        """Move a finished draft to its place in one step; what lay there before goes away."""
        target = self.version(component, version)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            # Programs that run from it go on: their files stay until they end.
            with self.draft(component + "-old") as old:
                target.rename(old / "was")
        draft.rename(target)
        return target

    def link(self, programs: Mapping[str, Path]) -> None:
        """Let `bin/<program>` lead to these files; inside of the directory by relative links."""
        self.bin.mkdir(parents=True, exist_ok=True)
        for name, path in programs.items():
            target = path
            if path.is_relative_to(self.root):
                target = Path("..") / path.relative_to(self.root)
            fresh = self.bin / f".{name}.new"
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(target)
            fresh.replace(self.bin / name)
