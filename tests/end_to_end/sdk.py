"""An image with the machine's own Python and AWS's SDK for it, as small as it goes."""

import importlib.util
from pathlib import Path

from longshore.testing.debian import files_of

PYTHON = Path("/usr/bin/python3")
LIBRARIES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
SERVICES = ("ecs", "sts")
MODELS = (
    *SERVICES,
    *("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json"),
)
"""What of botocore/data the clients of `SERVICES` read."""
LEFT_OUT = (
    *("/distutils/", "/idlelib/", "/lib2to3/", "/pydoc_data/", "/sqlite3/", "/unittest/"),
    *("/__pycache__/", "/config-3", "/tkinter/", "/wsgiref/", "/xmlrpc/"),
)
IMPORTED = "/usr/lib/python3/dist-packages"


def python_image(cloud):
    """Runs `python3 -c …`; boto3 has the clients of `SERVICES`."""
    name = PYTHON.resolve().name
    packages = [f"{name}-minimal", f"lib{name}-minimal", f"lib{name}-stdlib"]
    files = files_of(packages, [str(PYTHON.resolve())], LEFT_OUT)
    files |= {"/usr/bin/python3": Path(name), **_libraries()}
    return cloud.image("python", files, {"Entrypoint": ["/usr/bin/python3", "-u"]})


def _libraries():
    """Target in the image → file, of every module that boto3 needs."""
    found = {}
    for name in LIBRARIES:
        origin = Path(importlib.util.find_spec(name).origin)
        if origin.name == "__init__.py":
            found |= dict(_package(origin.parent))
        else:
            found[f"{IMPORTED}/{origin.name}"] = origin
    return found


def _package(root):
    for path in root.rglob("*"):
        inside = path.relative_to(root.parent)
        models = inside.parts[:2] == ("botocore", "data") and inside.parts[2:3]
        unused = "__pycache__" in inside.parts or (models and models[0] not in MODELS)
        if path.is_file() and not unused:
            yield f"{IMPORTED}/{inside}", path
