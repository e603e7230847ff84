-- Express lanes: behind a long backlog, new events whose session has nothing
-- waiting in it are sent beside it.
--
-- Lane l of a destination with n lanes has the express lane n + l. Its tiles
-- have no row in spool_lane: they follow each other with gaps, and a run of
-- spool_express says which of the lane's events lie in them.

-- Events of the lane from lo to hi went by its express lane: they are in that
-- one's tiles and in none of the lane's own. Goes with its events.
CREATE TABLE spool_express (
    destination INTEGER NOT NULL,
    lane        INTEGER NOT NULL,  -- the lane they left
    lo          INTEGER NOT NULL,
    hi          INTEGER NOT NULL,
    PRIMARY KEY (destination, lane, lo)
) STRICT, WITHOUT ROWID;

-- No event behind this id went by an express lane; 0: none ever did.
ALTER TABLE spool_destination ADD COLUMN express_to INTEGER NOT NULL
    DEFAULT 0;
-- How often settled events were made to wait again, or other lanes cut: what
-- was known of a backlog before is not true any more.
ALTER TABLE spool_destination ADD COLUMN rewound INTEGER NOT NULL DEFAULT 0;

-- The state of every event for every destination: that of the tile it lies
-- in; behind the cursor it is pending, or held. A filter is not looked at
-- here: an event that is passed over shows its tile's state.
DROP VIEW spool_event_state;

CREATE VIEW spool_event_state AS
WITH place AS (
    SELECT e.id, e.at, d.id AS destination, d.name,
        e.part % d.lanes + d.lanes * (e.id <= d.express_to AND EXISTS (
            SELECT 1 FROM spool_express AS x
            WHERE x.destination = d.id AND x.lane = e.part % d.lanes
              AND x.hi >= e.id
              AND x.lo = (SELECT max(y.lo) FROM spool_express AS y
                          WHERE y.destination = d.id
                            AND y.lane = e.part % d.lanes
                            AND y.lo <= e.id))) AS lane
    FROM spool_event AS e JOIN spool_destination AS d ON e.id > d.base
)
SELECT p.id, p.name AS destination,
       coalesce(b.state, CASE WHEN h.event IS NULL THEN 'pending'
                              WHEN h.until IS NULL THEN 'dead'
                              ELSE 'held' END) AS state,
       p.at, p.lane, b.id AS batch, b.attempts, b.uncertain,
       b.next_at, b.code, b.reason
FROM place AS p
LEFT JOIN spool_hold AS h ON h.event = p.id
LEFT JOIN spool_batch AS b
    ON b.destination = p.destination AND b.lane = p.lane AND b.hi >= p.id
    AND b.lo = (SELECT max(t.lo) FROM spool_batch AS t
                WHERE t.destination = p.destination AND t.lane = p.lane
                  AND t.lo <= p.id);
