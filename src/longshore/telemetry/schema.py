"""The schema of the log store's file, as steps from nothing to now; a step never changes."""

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE streams (
        id TEXT PRIMARY KEY, log_group TEXT NOT NULL, first_event INTEGER NOT NULL,
        last_event INTEGER NOT NULL, last_ingestion INTEGER NOT NULL, bytes INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX streams_by_group ON streams (log_group);
    CREATE TABLE positions (
        stream TEXT NOT NULL, producer TEXT NOT NULL, next INTEGER NOT NULL,
        PRIMARY KEY (stream, producer)
    ) WITHOUT ROWID;
    CREATE TABLE events (
        log_group TEXT NOT NULL, timestamp INTEGER NOT NULL, sequence INTEGER NOT NULL,
        stream TEXT NOT NULL, ingested INTEGER NOT NULL, message TEXT NOT NULL,
        PRIMARY KEY (log_group, timestamp, sequence)
    ) WITHOUT ROWID;
    CREATE INDEX events_by_stream ON events (stream, timestamp, sequence);
    """,
)
