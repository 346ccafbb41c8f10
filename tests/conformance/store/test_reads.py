"""Lists, pages and indexes."""

from conformance.store.kinds import ACCOUNT, REGION, THING, Thing

from longshore.store.interface import Store, Transaction

NAMES = ("a", "a:1", "a:2", "a:10", "b", "bb", "é", "\U0001f600")


async def fill(store: Store) -> None:
    def write(tx: Transaction) -> None:
        for number, name in enumerate(reversed(NAMES)):
            tx.put(THING, ACCOUNT, REGION, name, Thing(number))
        tx.put(THING, ACCOUNT, "eu-west-1", "west", Thing())
        tx.put(THING, "999999999999", REGION, "foreign", Thing())

    await store.transact(write)


def names(records) -> list[str]:
    return [record.key.name for record in records]


async def test_names_are_in_order_of_their_code_points(store: Store):
    await fill(store)
    assert names(store.reader.scan(THING, ACCOUNT, REGION)) == sorted(NAMES)


async def test_scan_of_all_places_is_ordered_by_account_and_region(store: Store):
    await fill(store)
    assert names(store.reader.scan(THING)) == ["west", *sorted(NAMES), "foreign"]
    assert names(store.reader.scan(THING, ACCOUNT)) == ["west", *sorted(NAMES)]
    assert names(store.reader.scan(THING, limit=2)) == ["west", "a"]


async def test_prefix_picks_its_names_only(store: Store):
    await fill(store)
    assert names(store.reader.scan(THING, ACCOUNT, REGION, prefix="a:")) == ["a:1", "a:10", "a:2"]
    assert names(store.reader.scan(THING, ACCOUNT, REGION, prefix="zz")) == []


async def test_pages_make_up_the_whole_list(store: Store):
    await fill(store)
    found: list[str] = []
    while page := store.reader.scan(
        THING, ACCOUNT, REGION, after=found[-1] if found else "", limit=3
    ):
        assert len(page) <= 3
        found += names(page)
    assert found == sorted(NAMES)


async def test_page_after_a_name_that_was_deleted_goes_on_behind_it(store: Store):
    await fill(store)
    await store.transact(lambda tx: tx.delete(THING, ACCOUNT, REGION, "a:10"))
    page = store.reader.scan(THING, ACCOUNT, REGION, prefix="a", after="a:10", limit=5)
    assert names(page) == ["a:2"]


async def test_index_follows_every_change(store: Store):
    def put(name: str, *colors: str) -> object:
        return lambda tx: tx.put(THING, ACCOUNT, REGION, name, Thing(0, colors))

    for change in (put("b", "red", "red"), put("a", "red", "blue"), put("c", "blue")):
        await store.transact(change)  # type: ignore[arg-type]
    assert names(store.reader.find(THING, ACCOUNT, REGION, "color", "red")) == ["a", "b"]
    assert store.reader.count(THING, ACCOUNT, REGION, "color", "red") == 2
    await store.transact(put("b", "blue"))  # type: ignore[arg-type]
    await store.transact(lambda tx: tx.delete(THING, ACCOUNT, REGION, "a"))
    assert names(store.reader.find(THING, ACCOUNT, REGION, "color", "red")) == []
    assert names(store.reader.find(THING, ACCOUNT, REGION, "color", "blue")) == ["b", "c"]
    assert names(store.reader.find(THING, ACCOUNT, "eu-west-1", "color", "blue")) == []
