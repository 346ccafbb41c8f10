"""`python -m longshore.images.program LAYOUT PROGRAM NAME`: an image of one static program.

A process of its own, since an image is made in memory, several times the program's size.
"""

import sys
from pathlib import Path

from longshore.images.layout import make_image


def main() -> None:
    """Write the image's layout; `/NAME` is the program and the entry point."""
    layout, program, name = sys.argv[1:]
    make_image(Path(layout), {name: Path(program)}, {"Entrypoint": [f"/{name}"]})


if __name__ == "__main__":
    main()
