import re
from collections import Counter

import pytest

from longshore.components import COMPONENTS
from longshore.components.component import GoModule, Release, Wheel
from longshore.components.sources.go_module import MODULE_TOOLCHAIN, module_folder

SOURCES = [(pin.name, source) for pin in COMPONENTS.values() for source in pin.sources]
PINNED = [(name, source) for name, source in SOURCES if isinstance(source, GoModule | Release)]


def test_each_program_belongs_to_one_component():
    count = Counter(program for pin in COMPONENTS.values() for program in pin.programs)
    assert set(count.values()) == {1}


@pytest.mark.parametrize(
    ("name", "source"), PINNED, ids=lambda value: getattr(value, "name", value)
)
def test_each_source_gives_all_programs_at_a_version_that_is_accepted(name, source):
    given = source.packages if isinstance(source, GoModule) else source.members
    assert set(given) == set(COMPONENTS[name].programs)
    assert COMPONENTS[name].accepted.accepts(source.version)


def test_each_download_has_a_whole_checksum():
    digests = [
        digest
        for _, source in SOURCES
        for digest in (
            source.hashes
            if isinstance(source, Wheel)
            else [download.sha256 for download in getattr(source, "downloads", {}).values()]
        )
    ]
    assert digests
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests)


def test_go_modules_ask_for_the_toolchain_that_is_provided():
    modules = {source.folder: source for _, source in SOURCES if isinstance(source, GoModule)}
    for source in modules.values():
        assert f"\ngo {MODULE_TOOLCHAIN}\n" in (module_folder(source) / "go.mod").read_text()
