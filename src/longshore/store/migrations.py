"""The databases' schemas, as steps from nothing to now; a step, once released, never changes."""

SQLITE: tuple[str, ...] = (
    """
    CREATE TABLE records (
        kind TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (kind, account, region, name)
    ) WITHOUT ROWID;
    CREATE TABLE history (
        position INTEGER PRIMARY KEY, revision INTEGER NOT NULL,
        kind TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        before_revision INTEGER NOT NULL, before BLOB, after BLOB
    );
    CREATE INDEX history_by_revision ON history (revision);
    CREATE TABLE state (revision INTEGER NOT NULL, kept_after INTEGER NOT NULL);
    INSERT INTO state VALUES (0, 0);
    CREATE TABLE leases (
        name TEXT PRIMARY KEY, holder TEXT NOT NULL, expires REAL NOT NULL, token INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
)
