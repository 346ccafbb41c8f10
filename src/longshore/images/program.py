"""`python -m longshore.images.program LAYOUT`: an image of the `Contents` (JSON) on standard input.

A process of its own, since an image is made in memory, several times its size.
"""

import sys
from pathlib import Path

import msgspec

from longshore.images.contents import Contents
from longshore.images.layout import make_image


def main() -> None:
    """Write the image's layout."""
    contents = msgspec.json.decode(sys.stdin.buffer.read(), type=Contents)
    make_image(Path(sys.argv[1]), contents.entries(), contents.config)


if __name__ == "__main__":
    main()
