-- The outbox: one append-only log of events, any number of readers.
--
-- schema/README.md draws an event's life. The rules that the code keeps and
-- `spoolctl verify` checks:
--   ids      event ids are dense: 1, 2, 3 ... in order of acceptance, never
--            used again. The last id is the number of events ever accepted.
--   tiling   the batches of a lane tile the log from the lane's base to its
--            cursor: no gap, no overlap.
--   sums     per destination, accepted = delivered + waiting + dead + purged
--            (+ passed over by its filter).
-- Times are milliseconds since 1970-01-01 UTC.

-- One row: what this file is.
CREATE TABLE spool_store (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    store_id   TEXT NOT NULL,    -- UUID, made once
    created_at INTEGER NOT NULL,
    -- No event behind this id has been dropped by retention, and this one has.
    -- Keeps ids from being used again when the log is empty.
    dropped_to INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The log. A row is written once and never updated. It carries no index but
-- its key: indexes are what a queue table pays for, and ranges need none.
CREATE TABLE spool_event (
    id   INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,  -- accepted at
    part INTEGER NOT NULL,  -- hash of userId and sessionId: order is kept in it
    crc  INTEGER NOT NULL,  -- CRC-32C over body, id, at and part
    body BLOB NOT NULL      -- the bytes as given
) STRICT;

-- A reader of the log.
CREATE TABLE spool_destination (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again
    name            TEXT NOT NULL UNIQUE,
    url             TEXT NOT NULL,  -- never with a key in it
    profile         TEXT NOT NULL,  -- segmentify, json
    origin          TEXT,           -- sent as the Origin header
    api_key_file    TEXT,           -- where the key is; never the key
    filter          TEXT,           -- NULL takes every event
    lanes           INTEGER NOT NULL,
    batch_events    INTEGER NOT NULL,
    batch_bytes     INTEGER NOT NULL,
    batch_age_ms    INTEGER NOT NULL,
    backoff_base_ms INTEGER NOT NULL,
    backoff_cap_ms  INTEGER NOT NULL,
    hold_after      INTEGER NOT NULL,  -- refused in a row before it is held
    base            INTEGER NOT NULL,  -- it reads the log behind this id
    state           TEXT NOT NULL,     -- running, held, paused
    -- Why it is held: 'fault' (the account, the URL, TLS), 'refusing' (it
    -- refuses every event). NULL unless held.
    hold_kind       TEXT,
    reason          TEXT,              -- a sentence, NULL while running
    since           INTEGER NOT NULL,  -- in this state since
    probes          INTEGER NOT NULL DEFAULT 0,
    next_probe_at   INTEGER NOT NULL DEFAULT 0,
    dead_in_row     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A lane of a destination reads the events with part % lanes = lane, one
-- batch in flight at a time.
CREATE TABLE spool_lane (
    destination INTEGER NOT NULL REFERENCES spool_destination (id),
    lane        INTEGER NOT NULL,
    base        INTEGER NOT NULL,  -- tiles begin behind this id
    cursor      INTEGER NOT NULL,  -- cut up to this id
    PRIMARY KEY (destination, lane)
) STRICT, WITHOUT ROWID;

-- A tile: the events of one lane with lo <= id <= hi, and what became of them.
CREATE TABLE spool_batch (
    id          INTEGER PRIMARY KEY,
    destination INTEGER NOT NULL REFERENCES spool_destination (id),
    lane        INTEGER NOT NULL,
    lo          INTEGER NOT NULL,
    hi          INTEGER NOT NULL,
    events      INTEGER NOT NULL,  -- of this lane, taken by the filter
    passed      INTEGER NOT NULL,  -- of this lane, passed over by the filter
    -- pending, sending, retrying, uncertain: it waits to be sent.
    -- held: one event that waits for the next page of its session.
    -- delivered, dead, purged: it is settled.
    state       TEXT NOT NULL,
    key         TEXT NOT NULL,     -- Idempotency-Key: same bytes, same key
    attempts    INTEGER NOT NULL DEFAULT 0,  -- requests made
    uncertain   INTEGER NOT NULL DEFAULT 0,  -- of them without a usable answer
    unknown     INTEGER NOT NULL DEFAULT 0,  -- of them with an unknown code
    next_at     INTEGER NOT NULL DEFAULT 0,
    changed_at  INTEGER NOT NULL,
    code        TEXT,              -- last answer, short
    reason      TEXT               -- last answer, a sentence
) STRICT;

CREATE UNIQUE INDEX spool_batch_tile ON spool_batch (destination, lane, lo);

-- The head of a lane in one seek, however many settled tiles there are.
CREATE INDEX spool_batch_waiting ON spool_batch (destination, lane, lo)
    WHERE state IN ('pending', 'sending', 'retrying', 'uncertain');

-- Events that are not to be sent for now. Their place in the log stays; once the
-- log is cut past one it is a tile of its own.
--   held        waits for the next page of its session, or until its time
--   quarantined was refused by the check and is kept: dead, until it is replayed
CREATE TABLE spool_hold (
    event  INTEGER PRIMARY KEY,
    part   INTEGER NOT NULL,  -- released by a page view of this part
    until  INTEGER,           -- or at this time; NULL: quarantined
    reason TEXT               -- why it is quarantined
) STRICT;

CREATE INDEX spool_hold_part ON spool_hold (part);
CREATE INDEX spool_hold_until ON spool_hold (until);

-- Keys that producers gave: a second put with the same key is the first one.
CREATE TABLE spool_key (
    key    TEXT PRIMARY KEY,
    event  INTEGER NOT NULL,
    digest BLOB NOT NULL,    -- SHA-256 of the event's bytes
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX spool_key_at ON spool_key (at);

-- Purchases by order number. Outlives the event: the answer to "was order 4711
-- delivered?". The number is the event's key, unless its producer gave one.
CREATE TABLE spool_order (
    number       TEXT PRIMARY KEY,
    event        INTEGER NOT NULL,
    digest       BLOB NOT NULL,
    at           INTEGER NOT NULL,
    total        TEXT,     -- as written in the event
    currency     TEXT,
    -- Set when the event leaves the log: until then its tiles tell.
    delivered_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX spool_order_event ON spool_order (event);
CREATE INDEX spool_order_at ON spool_order (at);

-- Each request, kept for a while.
CREATE TABLE spool_attempt (
    id          INTEGER PRIMARY KEY,
    destination INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    lo          INTEGER NOT NULL,
    hi          INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    key         TEXT NOT NULL,
    at          INTEGER NOT NULL,
    verdict     TEXT NOT NULL,  -- delivered retry uncertain refused hold
    http        INTEGER NOT NULL,
    curl        INTEGER NOT NULL,
    code        TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    answer      TEXT            -- the endpoint's words, cut
) STRICT;

-- What operators did, and what left the spool undelivered.
CREATE TABLE spool_audit (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    uid         INTEGER NOT NULL,
    action      TEXT NOT NULL,
    destination TEXT,
    events      INTEGER NOT NULL,
    detail      TEXT NOT NULL
) STRICT;

-- The state of every event for every destination: that of the tile it lies
-- in; behind the cursor it is pending, or held. A filter is not looked at
-- here: an event that is passed over shows its tile's state.
CREATE VIEW spool_event_state AS
SELECT e.id, d.name AS destination,
       coalesce(b.state, CASE WHEN h.event IS NULL THEN 'pending'
                              WHEN h.until IS NULL THEN 'dead'
                              ELSE 'held' END) AS state,
       e.at, e.part % d.lanes AS lane, b.id AS batch, b.attempts, b.uncertain,
       b.next_at, b.code, b.reason
FROM spool_event AS e
JOIN spool_destination AS d ON e.id > d.base
LEFT JOIN spool_hold AS h ON h.event = e.id
LEFT JOIN spool_batch AS b
    ON b.destination = d.id AND b.lane = e.part % d.lanes AND b.hi >= e.id
    AND b.lo = (SELECT max(t.lo) FROM spool_batch AS t
                WHERE t.destination = d.id AND t.lane = e.part % d.lanes
                  AND t.lo <= e.id);

-- The sums of every destination.
CREATE VIEW spool_sums AS
WITH last (id) AS (
    SELECT max(coalesce((SELECT max(id) FROM spool_event), 0),
               (SELECT dropped_to FROM spool_store))
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
)
SELECT d.id AS destination, d.name,
    last.id - d.base AS accepted,
    last.id - d.base - coalesce(t.seen, 0) + coalesce(t.cut, 0)
        - coalesce(h.held + h.dead, 0) AS pending,
    coalesce(t.sending, 0) AS sending,
    coalesce(t.retrying, 0) AS retrying,
    coalesce(t.uncertain, 0) AS uncertain,
    coalesce(t.delivered, 0) AS delivered,
    coalesce(t.dead, 0) + coalesce(h.dead, 0) AS dead,
    coalesce(t.purged, 0) AS purged,
    coalesce(t.held, 0) + coalesce(h.held, 0) AS held,
    coalesce(t.passed, 0) AS passed
FROM spool_destination AS d
CROSS JOIN last
LEFT JOIN tiles AS t ON t.destination = d.id
LEFT JOIN holds AS h ON h.destination = d.id;
