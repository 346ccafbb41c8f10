"""What an image made on this machine is to have, as a value that another process can be told."""

import hashlib
from pathlib import Path

import msgspec

TAG_DIGITS = 20


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """`files` are files and directories of this machine by their paths in the image, `links` where
    symbolic links lead, `texts` what is written in files; `config` is the image configuration's
    member of that name."""

    files: dict[str, str] = {}
    links: dict[str, str] = {}
    texts: dict[str, str] = {}
    config: dict[str, list[str] | str] = {}

    def entries(self) -> dict[str, bytes | Path]:
        """As `layout.make_image` takes them."""
        return {
            **{name: Path(path).resolve() for name, path in self.files.items()},
            **{name: Path(target) for name, target in self.links.items()},
            **{name: text.encode() for name, text in self.texts.items()},
        }

    def tag(self) -> str:
        """A tag that another one has as soon as a file is another, or a text."""
        found = hashlib.sha256(msgspec.json.encode(self, order="deterministic"))
        for path in sorted(self.files.values()):
            told = Path(path).resolve().stat()
            found.update(f"{path} {told.st_size} {told.st_mtime_ns}\n".encode())
        return found.hexdigest()[:TAG_DIGITS]
