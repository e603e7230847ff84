-- How much the spool may hold, and what was refused or shed for that.

-- How many ids have no row in the log (any more): dropped, lost or shed. The
-- others are there, so their number is known without counting.
ALTER TABLE spool_store ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;

UPDATE spool_store SET gone = max(dropped_to, lost_to) -
    (SELECT count(*) FROM spool_event WHERE id <= max(dropped_to, lost_to));

-- One row at most; without one there is no limit. 0: none of that kind.
CREATE TABLE spool_limit (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    version    INTEGER NOT NULL,  -- counts the changes
    max_events INTEGER NOT NULL,  -- rows in the log
    max_bytes  INTEGER NOT NULL,  -- of pages in use
    free_disk  INTEGER NOT NULL   -- bytes that stay free on the disk
) STRICT;

-- What holds for a class of events; a higher class is worth more. Without a
-- row: the whole of every limit, and nothing is shed.
CREATE TABLE spool_class (
    class INTEGER PRIMARY KEY,
    share INTEGER NOT NULL,  -- percent of each limit that it may fill
    shed  INTEGER NOT NULL   -- 1: its oldest give way to new events
) STRICT;

-- What limits have cost so far.
CREATE TABLE spool_toll (
    what   TEXT NOT NULL,     -- refused: never accepted. shed: taken out again
    cause  TEXT NOT NULL,     -- the limit: events, bytes, disk
    class  INTEGER NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (what, cause, class)
) STRICT, WITHOUT ROWID;

-- Accepted events that gave way before this destination came to them: no row,
-- no tile of theirs here. Destination 0 is the log itself and has all of them.
CREATE TABLE spool_shed (
    destination INTEGER NOT NULL,
    lo          INTEGER NOT NULL,
    hi          INTEGER NOT NULL,
    PRIMARY KEY (destination, lo)
) STRICT, WITHOUT ROWID;

-- How many they are, and how many more the filter would have passed over.
ALTER TABLE spool_destination ADD COLUMN shed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE spool_destination ADD COLUMN shed_passed INTEGER NOT NULL
    DEFAULT 0;

-- The sums of every destination; what was shed is purged by a limit.
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
        - coalesce(h.held + h.dead, 0) - coalesce(g.lost, 0)
        - d.shed - d.shed_passed AS pending,
    coalesce(t.sending, 0) AS sending,
    coalesce(t.retrying, 0) AS retrying,
    coalesce(t.uncertain, 0) AS uncertain,
    coalesce(t.delivered, 0) AS delivered,
    coalesce(t.dead, 0) + coalesce(h.dead, 0) AS dead,
    coalesce(t.purged, 0) + d.shed AS purged,
    coalesce(t.held, 0) + coalesce(h.held, 0) AS held,
    coalesce(t.passed, 0) + d.shed_passed AS passed,
    coalesce(g.lost, 0) AS lost
FROM spool_destination AS d
CROSS JOIN last
LEFT JOIN tiles AS t ON t.destination = d.id
LEFT JOIN holds AS h ON h.destination = d.id
LEFT JOIN losses AS g ON g.destination = d.id;

-- A replay may have a share of what is delivered instead of a rate.
ALTER TABLE spool_replay ADD COLUMN share INTEGER NOT NULL DEFAULT 0; -- percent
-- The last attempt before its last slice: what came after it counts.
ALTER TABLE spool_replay ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
