import re
from collections import Counter

import pytest

from longshore.components import COMPONENTS
from longshore.components.component import GoModule, Release, Wheel
from longshore.components.installer import named
from longshore.components.pins import KUBERNETES_RELEASES
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
    modules = [source for _, source in SOURCES if isinstance(source, GoModule)]
    for source in modules:
        assert f"\ngo {MODULE_TOOLCHAIN}\n" in (module_folder(source) / source.modfile).read_text()


def test_name_before_a_hyphen_stands_for_all_its_versions_and_what_clusters_have_beside_them():
    assert [each.name for each in named("kubernetes")] == [
        *(f"kubernetes-{minor}" for minor in KUBERNETES_RELEASES),
        *("node", "coredns", "metrics-server", "network-policy", "ebs-csi", "kms-plugin"),
    ]
    assert [each.name for each in named("runc")] == ["runc"]
    with pytest.raises(KeyError):
        named("kubern")
