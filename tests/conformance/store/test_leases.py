"""Leases: one holder at a time, and a token that tells holders apart."""

from conformance.store.conftest import Place

from longshore.store.interface import Store


async def test_lease_is_refused_while_another_holds_it(store: Store):
    assert await store.acquire("leader", "one", 10, now=100.0) is not None
    assert await store.acquire("leader", "two", 10, now=109.0) is None
    assert await store.acquire("other", "two", 10, now=109.0) is not None


async def test_renewed_lease_keeps_its_token_and_lasts_longer(store: Store):
    first = await store.acquire("leader", "one", 10, now=100.0)
    second = await store.acquire("leader", "one", 10, now=105.0)
    assert first is not None and second is not None
    assert (second.token, second.expires) == (first.token, 115.0)


async def test_expired_lease_passes_to_another_with_a_greater_token(store: Store):
    first = await store.acquire("leader", "one", 10, now=100.0)
    second = await store.acquire("leader", "two", 10, now=110.5)
    assert first is not None and second is not None
    assert second.token > first.token
    assert await store.acquire("leader", "one", 10, now=111.0) is None


async def test_released_lease_is_free_at_once(store: Store):
    lease = await store.acquire("leader", "one", 10, now=100.0)
    assert lease is not None
    await store.release(lease)
    other = await store.acquire("leader", "two", 10, now=101.0)
    assert other is not None and other.token > lease.token


async def test_release_of_a_lease_that_passed_on_changes_nothing(store: Store):
    old = await store.acquire("leader", "one", 10, now=100.0)
    assert old is not None
    await store.acquire("leader", "two", 10, now=120.0)
    await store.release(old)
    assert await store.acquire("leader", "three", 10, now=121.0) is None


async def test_lease_outlives_its_store(lasting: Place):
    store = await lasting.open()
    lease = await store.acquire("leader", "one", 10, now=100.0)
    await store.close()
    again = await lasting.open()
    assert await again.acquire("leader", "two", 10, now=105.0) is None
    assert await again.acquire("leader", "one", 10, now=105.0) is not None
    assert lease is not None
