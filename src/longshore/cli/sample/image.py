"""The sample's image, made on the spot: the machine's static busybox and the files of `root/`."""

from importlib.resources import as_file, files
from pathlib import Path

from longshore.images.layout import busybox_files, make_image


def write_image(directory: Path) -> Path:
    """An OCI image layout with the tag `latest`; LookupError where the machine has no busybox."""
    with as_file(files("longshore.cli.sample") / "root") as root:
        own = {
            str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }
    config = {"Cmd": ["/start"], "ExposedPorts": {"8080/tcp": {}}}
    return make_image(directory, {**busybox_files(), **own}, config)
