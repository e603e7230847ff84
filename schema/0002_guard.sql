-- What is known of the file from outside of it.
--
-- Beside the outbox lies a mark (src/outbox/mark.h): the last id accepted, the
-- store's id and its epoch. A log that ends before the mark has lost events.

-- The number of the flusher's start: what has a smaller one than the mark is an
-- older state of this file.
ALTER TABLE spool_store ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
-- Ids up to here were given out, though the log may end before: not again.
ALTER TABLE spool_store ADD COLUMN lost_to INTEGER NOT NULL DEFAULT 0;
-- Which file this was when it was last taken for the spool itself, not a copy
-- of it. NULL until somebody looked.
ALTER TABLE spool_store ADD COLUMN home_path TEXT;
ALTER TABLE spool_store ADD COLUMN home_device INTEGER;
ALTER TABLE spool_store ADD COLUMN home_inode INTEGER;

-- Accepted events that are gone: no row, no tile of theirs. For a destination
-- they are `lost`, beside delivered, dead and purged.
CREATE TABLE spool_lost (
    lo     INTEGER PRIMARY KEY,
    hi     INTEGER NOT NULL,
    at     INTEGER NOT NULL,  -- noticed at
    cause  TEXT NOT NULL,     -- what is known of it, a sentence's part
    seen_at INTEGER           -- an operator knows; NULL: verify still complains
) STRICT;

-- The sums of every destination, lost events among them.
DROP VIEW spool_sums;

CREATE VIEW spool_sums AS
WITH last (id) AS (
    SELECT max(coalesce((SELECT max(id) FROM spool_event), 0),
               (SELECT max(dropped_to, lost_to) FROM spool_store))
), tiles AS (
    SELECT destination,
        sum(events) FILTER (WHERE state = 'pending')   AS cut,
        sum(events) FILTER (WHERE state = 'sending')   AS sending,
        sum(events) FILTER (WHERE state = 'retrying')  AS retrying,
        sum(events) FILTER (WHERE state = 'uncertain') AS uncertain,
        sum(events) FILTER (WHERE state = 'delivered') AS delivered,
        sum(events) FILTER (WHERE state = 'dead')      AS dead,
        sum(events) FILTER (WHERE state = 'purged')    AS purged,
        sum(events) FILTER (WHERE state = 'held')      AS held,
        sum(passed) AS passed, sum(events + passed) AS seen
    FROM spool_batch GROUP BY destination
), holds AS (
    SELECT l.destination, count(h.until) AS held,
        count(*) - count(h.until) AS dead
    FROM spool_hold AS h
    JOIN spool_destination AS d ON h.event > d.base
    JOIN spool_lane AS l ON l.destination = d.id AND l.lane = h.part % d.lanes
        AND l.cursor < h.event
    GROUP BY l.destination
), losses AS (
    SELECT d.id AS destination, sum(l.hi - max(l.lo - 1, d.base)) AS lost
    FROM spool_lost AS l JOIN spool_destination AS d ON l.hi > d.base
    GROUP BY d.id
)
SELECT d.id AS destination, d.name,
    last.id - d.base AS accepted,
    last.id - d.base - coalesce(t.seen, 0) + coalesce(t.cut, 0)
        - coalesce(h.held + h.dead, 0) - coalesce(g.lost, 0) AS pending,
    coalesce(t.sending, 0) AS sending,
    coalesce(t.retrying, 0) AS retrying,
    coalesce(t.uncertain, 0) AS uncertain,
    coalesce(t.delivered, 0) AS delivered,
    coalesce(t.dead, 0) + coalesce(h.dead, 0) AS dead,
    coalesce(t.purged, 0) AS purged,
    coalesce(t.held, 0) + coalesce(h.held, 0) AS held,
    coalesce(t.passed, 0) AS passed,
    coalesce(g.lost, 0) AS lost
FROM spool_destination AS d
CROSS JOIN last
LEFT JOIN tiles AS t ON t.destination = d.id
LEFT JOIN holds AS h ON h.destination = d.id
LEFT JOIN losses AS g ON g.destination = d.id;

-- How a destination is spoken to, beside its URL and key.
-- array: a JSON array; object: one event a request; ndjson: an event a line
ALTER TABLE spool_destination ADD COLUMN body TEXT NOT NULL DEFAULT 'array';
ALTER TABLE spool_destination ADD COLUMN success TEXT;   -- statuses, or NULL
ALTER TABLE spool_destination ADD COLUMN headers TEXT;   -- lines, no secrets
ALTER TABLE spool_destination ADD COLUMN header_file TEXT;  -- where more are
ALTER TABLE spool_destination ADD COLUMN ca_file TEXT;
ALTER TABLE spool_destination ADD COLUMN client_cert TEXT;
ALTER TABLE spool_destination ADD COLUMN client_key TEXT;
ALTER TABLE spool_destination ADD COLUMN proxy TEXT;
-- Events a second at most; 0: as many as it takes.
ALTER TABLE spool_destination ADD COLUMN rate INTEGER NOT NULL DEFAULT 0;
-- A flusher that starts on a backlog waits up to so long, by the store's id.
ALTER TABLE spool_destination ADD COLUMN spread_ms INTEGER NOT NULL
    DEFAULT 30000;

-- A replay that goes on in slices beside live events.
CREATE TABLE spool_replay (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    destination INTEGER NOT NULL REFERENCES spool_destination (id),
    at          INTEGER NOT NULL,  -- begun at
    detail      TEXT NOT NULL,     -- what was selected
    rate        INTEGER NOT NULL,  -- events a second
    events      INTEGER NOT NULL,  -- selected
    done        INTEGER NOT NULL DEFAULT 0,  -- of them, looked at
    changed     INTEGER NOT NULL DEFAULT 0,  -- of those, sent anew
    cursor      INTEGER NOT NULL DEFAULT 0,  -- looked at up to this id
    stepped_at  INTEGER NOT NULL   -- the last slice
) STRICT;

-- What it selected, as ranges of ids.
CREATE TABLE spool_replay_range (
    replay INTEGER NOT NULL REFERENCES spool_replay (id),
    lo     INTEGER NOT NULL,
    hi     INTEGER NOT NULL,
    PRIMARY KEY (replay, lo)
) STRICT, WITHOUT ROWID;
