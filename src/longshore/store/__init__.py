"""Versioned records with transactions, watches and leases, on SQLite or PostgreSQL.

Enters: frozen msgspec structs under (kind, account, region, name). Leaves: `Record`, `Change`.
`interface.py` defines the terms; both implementations pass tests/conformance/store.
"""
