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

POSTGRES: tuple[str, ...] = (
    """
    CREATE TABLE longshore_records (
        kind text COLLATE "C" NOT NULL, account text COLLATE "C" NOT NULL,
        region text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL,
        revision bigint NOT NULL, value bytea NOT NULL,
        PRIMARY KEY (kind, account, region, name)
    );
    CREATE TABLE longshore_history (
        position bigserial PRIMARY KEY, revision bigint NOT NULL,
        kind text NOT NULL, account text NOT NULL, region text NOT NULL, name text NOT NULL,
        before_revision bigint NOT NULL, before bytea, after bytea, origin uuid NOT NULL
    );
    CREATE INDEX longshore_history_by_revision ON longshore_history (revision, position);
    CREATE TABLE longshore_state (revision bigint NOT NULL, kept_after bigint NOT NULL);
    INSERT INTO longshore_state VALUES (0, 0);
    CREATE TABLE longshore_leases (
        name text PRIMARY KEY, holder text NOT NULL, expires double precision NOT NULL,
        token bigint NOT NULL
    );
    """,
)
