#include "outbox/statements.h"

/* As tile_read reads them. */
#define TILE                                                                   \
    "id, destination, lane, lo, hi, events, passed, state, key, attempts, "    \
    "uncertain, unknown, next_at"

/* As destination_read reads them. */
#define DESTINATION                                                            \
    "id, name, url, profile, origin, api_key_file, filter, lanes, "            \
    "batch_events, batch_bytes, batch_age_ms, backoff_base_ms, "               \
    "backoff_cap_ms, hold_after, base, state, hold_kind, reason, since, "      \
    "probes, next_probe_at, dead_in_row, body, success, headers, "             \
    "header_file, ca_file, client_cert, client_key, proxy, rate, spread_ms, "  \
    "shed + shed_passed, express_to, rewound"

#define WAITING "('pending', 'sending', 'retrying', 'uncertain')"

/* The lane of event e at destination d, as membership_find_lane says it: the
 * one of its session, or that one's express lane. */
#define LANE_OF(e, d)                                                          \
    "(" e ".part % " d ".lanes + " d ".lanes * (" e ".id <= " d ".express_to " \
    "AND EXISTS (SELECT 1 FROM spool_express AS x "                            \
    "WHERE x.destination = " d ".id AND x.lane = " e ".part % " d ".lanes "    \
    "AND x.hi >= " e ".id AND x.lo = (SELECT max(y.lo) "                       \
    "FROM spool_express AS y WHERE y.destination = " d ".id "                  \
    "AND y.lane = " e ".part % " d ".lanes AND y.lo <= " e ".id))))"

/* The tile that event e lies in at destination d. */
#define TILE_OF(b, e, d)                                                       \
    b ".destination = " d ".id AND " b ".lane = " LANE_OF(                     \
        e, d) " AND " b ".hi >= " e ".id AND " b ".lo = (SELECT max(t.lo) "    \
              "FROM spool_batch AS t WHERE t.destination = " d ".id "          \
              "AND t.lane = " LANE_OF(e, d) " AND t.lo <= " e ".id)"

/* Event e is behind every destination, and has been since ?3; or since a time
 * behind ?4, now, that only a clock which was wrong can have told. */
#define SETTLED(e)                                                             \
    "EXISTS (SELECT 1 FROM spool_destination) AND NOT EXISTS (SELECT 1 "       \
    "FROM spool_destination AS d WHERE d.base < " e ".id AND NOT EXISTS "      \
    "(SELECT 1 FROM spool_batch AS b WHERE " TILE_OF(                          \
        "b", e, "d") " "                                                       \
                     "AND b.state IN ('delivered', 'purged') "                 \
                     "AND (b.changed_at <= ?3 OR b.changed_at > ?4)))"

const char *const statement_sql[STATEMENT_COUNT] = {
    /* IMMEDIATE: the write lock is taken before anything is read, so that no
     * statement can fail half-way for want of it. */
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_BEGIN_READ] = "BEGIN",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",

    [STATEMENT_STORE_MAKE] =
        "INSERT INTO spool_store (one, store_id, created_at) "
        "SELECT 1, ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM spool_store)",
    [STATEMENT_STORE_ID] = "SELECT store_id FROM spool_store",
    /* Behind a drained and dropped log the ids go on where they were. */
    [STATEMENT_LAST_ID] =
        "SELECT max(coalesce((SELECT max(id) FROM spool_event), 0), "
        "(SELECT max(dropped_to, lost_to) FROM spool_store))",
    /* With what limits need to know: one look at two rows. */
    [STATEMENT_APPEND_FROM] =
        "SELECT max(coalesce((SELECT max(id) FROM spool_event), 0), dropped_to,"
        " lost_to), gone, (SELECT version FROM spool_limit) FROM spool_store",
    [STATEMENT_GONE] = "UPDATE spool_store SET gone = gone + ?1",
    [STATEMENT_EVENT_ROWS] = "SELECT count(*) FROM spool_event",
    [STATEMENT_GONE_GET] = "SELECT gone FROM spool_store",
    [STATEMENT_SHED_AT] =
        "SELECT hi FROM spool_shed WHERE destination = 0 AND lo <= ?1 "
        "ORDER BY lo DESC LIMIT 1",
    [STATEMENT_SHED_INSERT] =
        "INSERT INTO spool_shed (destination, lo, hi) VALUES (?1, ?2, ?3)",
    /* What a new destination will not find. */
    [STATEMENT_SHED_COPY] =
        "INSERT INTO spool_shed (destination, lo, hi) SELECT ?1, "
        "max(lo, ?2 + 1), hi FROM spool_shed WHERE destination = 0 "
        "AND hi > ?2",
    [STATEMENT_SHED_COUNT] =
        "UPDATE spool_destination SET shed = (SELECT coalesce(sum(hi - lo + 1),"
        " 0) FROM spool_shed WHERE destination = ?1) WHERE id = ?1",
    [STATEMENT_SHED_OF_LOG] =
        "SELECT lo, hi FROM spool_shed WHERE destination = 0 AND hi > ?1 "
        "AND lo <= ?2 ORDER BY lo",
    [STATEMENT_SHED_DISBELIEVE] = "DELETE FROM spool_shed WHERE lo <= ?1",
    [STATEMENT_DESTINATION_SHED] =
        "UPDATE spool_destination SET shed = shed + ?2, "
        "shed_passed = shed_passed + ?3 WHERE id = ?1",
    [STATEMENT_DESTINATION_DELETE_SHED] =
        "DELETE FROM spool_shed WHERE destination = ?1",
    [STATEMENT_LANE_SUM] = "SELECT sum(cursor) FROM spool_lane",
    [STATEMENT_LANE_NEAREST] = "SELECT min(cursor) FROM spool_lane",
    [STATEMENT_ORDER_OF] = "SELECT 1 FROM spool_order WHERE event = ?1",
    [STATEMENT_EVENTS_DELETE] =
        "DELETE FROM spool_event WHERE id BETWEEN ?1 AND ?2",
    /* Up to where nobody asks for them any more: in front of what is left of
     * the log, and where every lane has only tiles that retention went into. */
    [STATEMENT_SHED_BOUND] =
        "SELECT min(dropped_to + 1, coalesce((SELECT min(id) "
        "FROM spool_event), dropped_to + 1), coalesce((SELECT min(coalesce("
        "(SELECT b.lo FROM spool_batch AS b WHERE b.destination = "
        "l.destination AND b.lane = l.lane AND NOT (b.state IN ('delivered', "
        "'purged') AND b.lo <= dropped_to) ORDER BY b.lo LIMIT 1), "
        "l.cursor + 1)) FROM spool_lane AS l WHERE l.destination = ?1), "
        "dropped_to + 1)) FROM spool_store",
    [STATEMENT_SHED_NEXT] =
        "SELECT min(destination) FROM spool_shed WHERE destination > ?1",
    [STATEMENT_SHED_FORGET] =
        "DELETE FROM spool_shed WHERE destination = ?1 AND lo IN "
        "(SELECT lo FROM spool_shed WHERE destination = ?1 AND lo < ?2 "
        "AND hi < ?2 ORDER BY lo LIMIT ?3)",
    [STATEMENT_LIMIT_GET] = "SELECT max_events, max_bytes, free_disk, version "
                            "FROM spool_limit",
    [STATEMENT_LIMIT_SET] =
        "INSERT INTO spool_limit (one, version, max_events, max_bytes, "
        "free_disk) VALUES (1, 1, ?1, ?2, ?3) ON CONFLICT (one) DO UPDATE SET "
        "version = version + 1, max_events = ?1, max_bytes = ?2, "
        "free_disk = ?3",
    [STATEMENT_CLASSES] = "SELECT class, share, shed FROM spool_class",
    [STATEMENT_CLASS_SET] = "INSERT OR REPLACE INTO spool_class (class, share, "
                            "shed) VALUES (?1, ?2, ?3)",
    [STATEMENT_TOLL_ADD] =
        "INSERT INTO spool_toll (what, cause, class, events) "
        "VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE "
        "SET events = events + excluded.events",
    [STATEMENT_TOLLS] = "SELECT what, cause, class, events FROM spool_toll",
    [STATEMENT_PAGE_COUNT] = "PRAGMA page_count",
    [STATEMENT_PAGE_SIZE] = "PRAGMA page_size",
    [STATEMENT_DROPPED_TO] = "SELECT dropped_to FROM spool_store",
    [STATEMENT_STORE_GUARD] =
        "SELECT epoch, home_path, home_device, home_inode FROM spool_store",
    [STATEMENT_STORE_EPOCH] = "UPDATE spool_store SET epoch = ?1",
    [STATEMENT_STORE_RAISE_EPOCH] = "UPDATE spool_store SET epoch = epoch + 1",
    [STATEMENT_STORE_HOME] = "UPDATE spool_store SET home_path = ?1, "
                             "home_device = ?2, home_inode = ?3",
    [STATEMENT_STORE_RENAME] = "UPDATE spool_store SET store_id = ?1",
    /* What a lane was cut past lies in its tiles and counts there. */
    [STATEMENT_LOST_INSERT] =
        "INSERT INTO spool_lost (lo, hi, at, cause) SELECT first, ?2, ?3, ?4 "
        "FROM (SELECT max(?1, 1 + coalesce(max(cursor), 0)) AS first "
        "FROM spool_lane) WHERE first <= ?2",
    [STATEMENT_LOST_TO] =
        "UPDATE spool_store SET lost_to = ?1, gone = gone + ?2",
    [STATEMENT_LOST_UNSEEN] =
        "SELECT sum(hi - lo + 1) FROM spool_lost WHERE seen_at IS NULL",
    [STATEMENT_LOST_AT] =
        "SELECT count(*) FROM spool_lost WHERE lo <= ?1 AND hi >= ?1",
    [STATEMENT_LOST_SEEN] =
        "UPDATE spool_lost SET seen_at = ?1 WHERE seen_at IS NULL",
    [STATEMENT_MISSING_AT] =
        "SELECT hi FROM spool_lost WHERE lo <= ?1 AND hi >= ?1 UNION ALL "
        "SELECT hi FROM (SELECT hi FROM spool_shed WHERE destination = 0 "
        "AND lo <= ?1 ORDER BY lo DESC LIMIT 1) WHERE hi >= ?1",
    [STATEMENT_LOST_LIST] = "SELECT lo, hi, cause FROM spool_lost "
                            "WHERE seen_at IS NULL ORDER BY lo",
    [STATEMENT_EVENT_INSERT] =
        "INSERT INTO spool_event (id, at, part, crc, body) "
        "VALUES (?1, ?2, ?3, ?4, ?5)",
    [STATEMENT_EVENT_GET] =
        "SELECT id, at, part, crc, body FROM spool_event WHERE id = ?1",
    [STATEMENT_EVENT_AT] =
        "SELECT at FROM spool_event WHERE id >= ?1 ORDER BY id LIMIT 1",
    [STATEMENT_EVENTS_RANGE] =
        "SELECT id, at, part, crc, body FROM spool_event "
        "WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
    /* Gives a row when the visitor has had enough. */
    [STATEMENT_EVENTS_VISIT] =
        "SELECT 1 FROM spool_event WHERE id BETWEEN ?1 AND ?2 "
        "AND spool_visit(id, at, part, crc, body) ORDER BY id",
    [STATEMENT_EVENTS_COUNT] =
        "SELECT count(*) FROM spool_destination AS d "
        "CROSS JOIN spool_event AS e WHERE d.id = ?3 "
        "AND e.id BETWEEN ?1 AND ?2 AND " LANE_OF("e", "d") " = ?4",

    [STATEMENT_KEY_GET] = "SELECT event, digest FROM spool_key WHERE key = ?1",
    [STATEMENT_KEY_INSERT] = "INSERT INTO spool_key (key, event, digest, at) "
                             "VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_ORDER_GET] =
        "SELECT event, digest, at, total, currency, delivered_at "
        "FROM spool_order WHERE number = ?1",
    [STATEMENT_ORDER_INSERT] =
        "INSERT INTO spool_order (number, event, digest, at, total, currency) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [STATEMENT_ORDER_DELETE] = "DELETE FROM spool_order WHERE number = ?1",
    [STATEMENT_ORDER_PLACES] =
        "SELECT s.state = 'purged', d.filter, e.body "
        "FROM spool_event_state AS s JOIN spool_destination AS d "
        "ON d.name = s.destination JOIN spool_event AS e ON e.id = s.id "
        "WHERE s.id = ?1",
    [STATEMENT_ORDERS_FROM] = "SELECT number FROM spool_order "
                              "WHERE number > ?1 ORDER BY number LIMIT ?2",
    [STATEMENT_HOLD_INSERT] =
        "INSERT INTO spool_hold (event, part, until, reason) "
        "VALUES (?1, ?2, nullif(?3, 0), ?4)",
    [STATEMENT_HOLD_DELETE] = "DELETE FROM spool_hold WHERE event = ?1",
    [STATEMENT_HOLD_OF_PART] =
        "SELECT event, part FROM spool_hold WHERE part = ?1 "
        "AND until IS NOT NULL ORDER BY event LIMIT 1",
    /* ?2: further ahead than any hold is set, so from a clock that was wrong.
     */
    [STATEMENT_HOLD_DUE] =
        "SELECT event, part FROM spool_hold WHERE until <= ?1 OR until > ?2 "
        "LIMIT 1",
    [STATEMENT_HOLD_NEXT] =
        "SELECT event FROM spool_hold WHERE event >= ?1 ORDER BY event LIMIT 1",
    [STATEMENT_HOLD_GET] =
        "SELECT until IS NULL, reason FROM spool_hold WHERE event = ?1",
    [STATEMENT_HOLD_PARTS] =
        "SELECT part FROM spool_hold WHERE until IS NOT NULL",
    [STATEMENT_HOLD_QUARANTINED] =
        "SELECT 1 FROM spool_hold WHERE until IS NULL AND event > ?1 LIMIT 1",
    [STATEMENT_HOLD_FIRST_UNTIL] = "SELECT min(until) FROM spool_hold",
    [STATEMENT_TILES_RELEASE] =
        "UPDATE spool_batch SET state = 'pending', changed_at = ?3 "
        "WHERE state = 'held' AND lo = ?1 AND (destination, lane) IN "
        "(SELECT id, ?2 % lanes FROM spool_destination)",

    [STATEMENT_DESTINATION_INSERT] =
        "INSERT INTO spool_destination (name, url, profile, origin, "
        "api_key_file, filter, lanes, batch_events, batch_bytes, "
        "batch_age_ms, backoff_base_ms, backoff_cap_ms, hold_after, base, "
        "state, since) VALUES (?1, ?2, ?3, nullif(?4, ''), nullif(?5, ''), "
        "nullif(?6, ''), ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 'running', ?15)",
    [STATEMENT_DESTINATION_UPDATE] =
        "UPDATE spool_destination SET url = ?2, profile = ?3, "
        "origin = nullif(?4, ''), api_key_file = nullif(?5, ''), "
        "batch_events = ?6, batch_bytes = ?7, batch_age_ms = ?8, "
        "backoff_base_ms = ?9, backoff_cap_ms = ?10, hold_after = ?11, "
        "next_probe_at = 0 WHERE id = ?1",
    [STATEMENT_DESTINATION_OPTIONS] =
        "UPDATE spool_destination SET body = ?2, success = nullif(?3, ''), "
        "headers = nullif(?4, ''), header_file = nullif(?5, ''), "
        "ca_file = nullif(?6, ''), client_cert = nullif(?7, ''), "
        "client_key = nullif(?8, ''), proxy = nullif(?9, ''), rate = ?10, "
        "spread_ms = ?11 WHERE id = ?1",
    /* Requests whose outcome is open: their bytes must not change. */
    [STATEMENT_TILES_OPEN] =
        "SELECT count(*) FROM spool_batch WHERE destination = ?1 "
        "AND state IN " WAITING " AND (state <> 'pending' OR attempts > 0)",
    [STATEMENT_DESTINATION_STATE] =
        "UPDATE spool_destination SET state = ?2, hold_kind = ?3, "
        "reason = nullif(?4, ''), since = ?5, probes = ?6, "
        "next_probe_at = ?7, dead_in_row = ?8 WHERE id = ?1",
    [STATEMENT_DESTINATION_LEASE_PROBE] =
        "UPDATE spool_destination SET next_probe_at = ?2 WHERE id = ?1",
    [STATEMENT_DESTINATION_END_LEASES] =
        "UPDATE spool_destination SET next_probe_at = 0 "
        "WHERE state = 'held' AND EXISTS (SELECT 1 FROM spool_batch "
        "WHERE destination = spool_destination.id AND state = 'sending')",
    [STATEMENT_DESTINATION_DELETE] =
        "DELETE FROM spool_destination WHERE id = ?1",
    [STATEMENT_DESTINATION_DELETE_LANES] =
        "DELETE FROM spool_lane WHERE destination = ?1",
    [STATEMENT_DESTINATION_DELETE_EXPRESS] =
        "DELETE FROM spool_express WHERE destination = ?1",
    [STATEMENT_DESTINATION_DELETE_BATCHES] =
        "DELETE FROM spool_batch WHERE destination = ?1",
    [STATEMENT_DESTINATION_DELETE_ATTEMPTS] =
        "DELETE FROM spool_attempt WHERE destination = ?1",
    [STATEMENT_DESTINATION_BY_ID] =
        "SELECT " DESTINATION " FROM spool_destination WHERE id = ?1",
    [STATEMENT_DESTINATION_BY_NAME] =
        "SELECT " DESTINATION " FROM spool_destination WHERE name = ?1",
    [STATEMENT_DESTINATIONS] =
        "SELECT " DESTINATION " FROM spool_destination ORDER BY id",
    [STATEMENT_LANE_INSERT] =
        "INSERT INTO spool_lane (destination, lane, base, cursor) "
        "VALUES (?1, ?2, ?3, ?3)",
    [STATEMENT_LANE_CURSOR] =
        "SELECT cursor FROM spool_lane WHERE destination = ?1 AND lane = ?2",
    [STATEMENT_REPLAY_INSERT] =
        "INSERT INTO spool_replay (destination, at, detail, rate, events, "
        "stepped_at, share, attempt) VALUES (?1, ?2, ?3, ?4, ?5, ?2 - 1000, "
        "?6, (SELECT coalesce(max(id), 0) FROM spool_attempt))",
    [STATEMENT_REPLAY_NEXT] =
        "SELECT r.id, r.destination, r.at, r.detail, r.rate, r.events, r.done, "
        "r.changed, r.cursor, r.stepped_at, d.name, r.share, r.attempt "
        "FROM spool_replay AS r "
        "JOIN spool_destination AS d ON d.id = r.destination "
        "WHERE r.id > ?1 ORDER BY r.id LIMIT 1",
    [STATEMENT_REPLAY_STEP] =
        "UPDATE spool_replay SET done = ?2, changed = ?3, cursor = ?4, "
        "stepped_at = ?5, "
        "attempt = (SELECT coalesce(max(id), 0) FROM spool_attempt) "
        "WHERE id = ?1",
    [STATEMENT_REPLAY_DELIVERED] =
        "SELECT coalesce(sum(events), 0) FROM spool_attempt "
        "WHERE id > ?1 AND destination = ?2 AND verdict = 'delivered'",
    [STATEMENT_REPLAY_DELETE] = "DELETE FROM spool_replay WHERE id = ?1",
    [STATEMENT_REPLAY_DELETE_RANGES] =
        "DELETE FROM spool_replay_range WHERE replay = ?1",
    [STATEMENT_REPLAY_RANGE_INSERT] =
        "INSERT INTO spool_replay_range (replay, lo, hi) VALUES (?1, ?2, ?3)",
    [STATEMENT_REPLAY_RANGE_FIRST] =
        "SELECT lo, hi FROM spool_replay_range WHERE replay = ?1 "
        "ORDER BY lo LIMIT 1",
    [STATEMENT_REPLAY_RANGE_DELETE] =
        "DELETE FROM spool_replay_range WHERE replay = ?1 AND lo = ?2",
    [STATEMENT_DESTINATION_DELETE_REPLAY_RANGES] =
        "DELETE FROM spool_replay_range WHERE replay IN "
        "(SELECT id FROM spool_replay WHERE destination = ?1)",
    [STATEMENT_DESTINATION_DELETE_REPLAYS] =
        "DELETE FROM spool_replay WHERE destination = ?1",
    [STATEMENT_LANE_LIVE] =
        "SELECT count(*) FROM (SELECT 1 FROM spool_destination AS d "
        "CROSS JOIN spool_event AS e WHERE d.id = ?1 AND e.id > "
        "(SELECT cursor FROM spool_lane WHERE destination = ?1 AND lane = ?2) "
        "AND ?2 = " LANE_OF("e", "d") " LIMIT ?3)",
    [STATEMENT_LANE_FURTHEST] =
        "SELECT max(cursor) FROM spool_lane WHERE destination = ?1",
    [STATEMENT_SUM_DELIVERED] =
        "SELECT sum(events) FROM spool_batch "
        "WHERE destination = ?1 AND state = 'delivered'",
    [STATEMENT_SUM_PURGED] = "SELECT sum(events) FROM spool_batch "
                             "WHERE destination = ?1 AND state = 'purged'",
    [STATEMENT_SUM_PASSED] =
        "SELECT sum(passed) FROM spool_batch WHERE destination = ?1",
    [STATEMENT_TILES_ASIDE] = "UPDATE spool_batch SET lane = lane - ?2 "
                              "WHERE destination = ?1",
    [STATEMENT_TILES_DROP_ASIDE] =
        "DELETE FROM spool_batch WHERE destination = ?1 AND lane < 0",
    /* They are not an event's of the new lanes. */
    [STATEMENT_ATTEMPTS_ASIDE] = "UPDATE spool_attempt SET lane = lane - ?2 "
                                 "WHERE destination = ?1 AND lane >= 0",
    [STATEMENT_DESTINATION_LANES] =
        "UPDATE spool_destination SET lanes = ?2, express_to = 0, "
        "rewound = rewound + 1 WHERE id = ?1",
    [STATEMENT_DESTINATION_REWIND] =
        "UPDATE spool_destination SET rewound = rewound + 1 WHERE id = ?1",
    [STATEMENT_DESTINATION_EXPRESS] =
        "UPDATE spool_destination SET express_to = max(express_to, ?2) "
        "WHERE id = ?1",
    [STATEMENT_EXPRESS_TO] =
        "SELECT express_to FROM spool_destination WHERE id = ?1",
    [STATEMENT_EXPRESS_INSERT] =
        "INSERT INTO spool_express (destination, lane, lo, hi) "
        "VALUES (?1, ?2, ?3, ?4)",
    /* After recovery: what it knows of express lanes, or that it does not. */
    [STATEMENT_EXPRESS_BACK] =
        "UPDATE spool_destination SET express_to = max(express_to, coalesce("
        "(SELECT max(hi) FROM spool_express WHERE destination = ?1), 0)) "
        "WHERE id = ?1",
    [STATEMENT_EXPRESS_DISBELIEVE] =
        "DELETE FROM spool_express WHERE destination = ?1 AND hi <= ?2",
    [STATEMENT_EXPRESS_TILES_DISBELIEVE] =
        "DELETE FROM spool_batch WHERE destination = ?1 AND hi <= ?2 "
        "AND lane >= (SELECT lanes FROM spool_destination WHERE id = ?1)",
    /* The run that an id lies in, or the next one. */
    [STATEMENT_EXPRESS_RUN] =
        "SELECT lo, hi FROM spool_express WHERE destination = ?1 "
        "AND lane = ?2 AND hi >= ?3 AND lo >= coalesce((SELECT max(lo) "
        "FROM spool_express WHERE destination = ?1 AND lane = ?2 "
        "AND lo <= ?3), 0) ORDER BY lo LIMIT 1",
    [STATEMENT_EXPRESS_LAST] =
        "SELECT hi FROM spool_express WHERE destination = ?1 AND lane = ?2 "
        "ORDER BY lo DESC LIMIT 1",
    [STATEMENT_EXPRESS_RUNS] =
        "SELECT lane, lo, hi FROM spool_express WHERE destination = ?1 "
        "ORDER BY lane, lo",
    [STATEMENT_LANES] =
        "SELECT lane, base, cursor FROM spool_lane WHERE destination = ?1 "
        "ORDER BY lane",
    [STATEMENT_LANE_MOVE] = "UPDATE spool_lane SET cursor = ?3 "
                            "WHERE destination = ?1 AND lane = ?2",

    [STATEMENT_TILE_INSERT] =
        "INSERT INTO spool_batch (destination, lane, lo, hi, events, passed, "
        "state, key, attempts, uncertain, unknown, next_at, changed_at, code, "
        "reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
        "?13, ?14, ?15)",
    [STATEMENT_TILE_RANGE] =
        "UPDATE spool_batch SET hi = ?2, events = ?3, passed = ?4, key = ?5 "
        "WHERE id = ?1",
    [STATEMENT_TILE_DELETE] = "DELETE FROM spool_batch WHERE id = ?1",
    [STATEMENT_TILE_SET] =
        "UPDATE spool_batch SET state = ?2, key = ?3, attempts = ?4, "
        "uncertain = ?5, unknown = ?6, next_at = ?7, changed_at = ?8, "
        "code = ?9, reason = ?10 WHERE id = ?1",
    [STATEMENT_TILE_BY_ID] =
        "SELECT " TILE ", code, reason, changed_at FROM spool_batch "
        "WHERE id = ?1",
    [STATEMENT_TILE_HEAD] =
        "SELECT " TILE " FROM spool_batch "
        "WHERE destination = ?1 AND lane = ?2 AND state IN " WAITING
        " ORDER BY lo LIMIT 1",
    /* The one behind the batch in flight. */
    [STATEMENT_TILE_HEAD_AHEAD] =
        "SELECT " TILE " FROM spool_batch "
        "WHERE destination = ?1 AND lane = ?2 AND state IN " WAITING
        " AND state <> 'sending' ORDER BY lo LIMIT 1",
    [STATEMENT_TILE_CHANGED_AT] =
        "SELECT changed_at FROM spool_batch WHERE id = ?1",
    [STATEMENT_TILE_AT] = "SELECT " TILE ", code, reason, changed_at "
                          "FROM spool_batch "
                          "WHERE destination = ?1 AND lane = ?2 AND lo <= ?3 "
                          "ORDER BY lo DESC LIMIT 1",
    [STATEMENT_TILE_FROM] = "SELECT " TILE ", code, reason FROM spool_batch "
                            "WHERE destination = ?1 AND lane = ?2 AND lo >= ?3 "
                            "ORDER BY lo LIMIT 1",
    /* The first behind an id that is not settled. */
    [STATEMENT_TILE_OPEN_BEHIND] =
        "SELECT " TILE " FROM spool_batch "
        "WHERE destination = ?1 AND lane = ?2 AND lo > ?3 "
        "AND state IN " WAITING " ORDER BY lo LIMIT 1",
    [STATEMENT_TILES_SENDING] =
        "SELECT " TILE " FROM spool_batch WHERE state = 'sending' "
        "AND state IN " WAITING,
    [STATEMENT_TILES_OF_LANE] =
        "SELECT " TILE " FROM spool_batch "
        "WHERE destination = ?1 AND lane = ?2 ORDER BY lo",

    [STATEMENT_ATTEMPT_INSERT] =
        "INSERT INTO spool_attempt (destination, lane, lo, hi, events, key, "
        "at, verdict, http, curl, code, duration_ms, answer) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [STATEMENT_ATTEMPTS_TRIM] = "DELETE FROM spool_attempt WHERE id <= ?1",
    [STATEMENT_ATTEMPTS_OF_EVENT] =
        "SELECT at, verdict, http, curl, code, duration_ms, events, key, "
        "coalesce(answer, '') FROM spool_attempt "
        "WHERE destination = ?1 AND lane = ?2 AND lo <= ?3 AND hi >= ?3 "
        "ORDER BY id",
    /* The newest requests, looked at from the end: never the whole table. */
    [STATEMENT_ATTEMPTS_RATE] =
        "SELECT coalesce(sum(events), 0) FROM (SELECT destination, verdict, "
        "at, events FROM spool_attempt ORDER BY id DESC LIMIT 5000) "
        "WHERE destination = ?1 AND verdict = 'delivered' AND at > ?2",
    [STATEMENT_AUDIT_INSERT] =
        "INSERT INTO spool_audit (id, at, uid, action, destination, events, "
        "detail, chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [STATEMENT_AUDIT_LAST] =
        "SELECT id, chain FROM spool_audit ORDER BY id DESC LIMIT 1",
    [STATEMENT_AUDIT_RANGE] =
        "SELECT id, at, uid, action, coalesce(destination, ''), events, "
        "detail, chain FROM spool_audit WHERE id > ?1 AND at BETWEEN ?2 AND ?3 "
        "ORDER BY id",
    [STATEMENT_AUDIT_NEWEST] =
        "SELECT min(id) - 1 FROM (SELECT id FROM spool_audit "
        "WHERE at BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT ?3)",

    /* The first event from an id on, if it was accepted long enough ago, or
     * later than now, ?3, and every destination has a lane that was cut past
     * it. */
    [STATEMENT_RETAIN_FIRST] =
        "SELECT id FROM (SELECT id, at FROM spool_event WHERE id >= ?1 "
        "ORDER BY id LIMIT 1) WHERE (at <= ?2 OR at > ?3) "
        "AND id <= (SELECT min(furthest) FROM (SELECT max(cursor) AS furthest "
        "FROM spool_lane GROUP BY destination))",
    /* The last event of a range that may go: 0 if none may. Most often it is
     * the first that is looked at. */
    [STATEMENT_RETAIN_LAST] =
        "SELECT e.id FROM spool_event AS e WHERE e.id BETWEEN ?1 AND ?2 "
        "AND " SETTLED("e") " ORDER BY e.id DESC LIMIT 1",
    /* Where a filter passed over events of the tile, this may be one: it is not
     * called delivered then. */
    [STATEMENT_RETAIN_STAMP_ORDERS] =
        "UPDATE spool_order SET delivered_at = (SELECT max(b.changed_at) "
        "FROM spool_event AS e JOIN spool_destination AS d "
        "JOIN spool_batch AS b ON " TILE_OF(
            "b", "e",
            "d") " "
                 "WHERE e.id = spool_order.event AND b.state = 'delivered' "
                 "AND (d.filter IS NULL OR b.passed = 0)) "
                 "WHERE event IN (SELECT e.id FROM spool_event AS e "
                 "WHERE e.id BETWEEN ?1 AND ?2 AND " SETTLED("e") ")",
    [STATEMENT_RETAIN_DROP] =
        "DELETE FROM spool_event WHERE id BETWEEN ?1 AND ?2 "
        "AND " SETTLED("spool_event"),
    [STATEMENT_RETAIN_NOTE] =
        "UPDATE spool_store SET dropped_to = max(dropped_to, ?1), "
        "gone = gone + ?2",
    /* Of what was purged while it was held or quarantined. */
    [STATEMENT_RETAIN_HOLDS] =
        "DELETE FROM spool_hold WHERE event BETWEEN ?1 AND ?2 "
        "AND NOT EXISTS (SELECT 1 FROM spool_event WHERE id = event)",
    /* The first run of the lane, if it is through. */
    [STATEMENT_RETAIN_EXPRESS] =
        "DELETE FROM spool_express WHERE (destination, lane, lo) IN "
        "(SELECT x.destination, x.lane, x.lo FROM spool_lane AS l "
        "JOIN spool_express AS x ON x.destination = l.destination "
        "AND x.lane = l.lane WHERE x.lo = (SELECT min(y.lo) "
        "FROM spool_express AS y WHERE y.destination = l.destination "
        "AND y.lane = l.lane) AND NOT EXISTS (SELECT 1 FROM spool_event "
        "WHERE id BETWEEN x.lo AND x.hi))",
    /* The first tile from a place on, and behind the lane's last that of the
     * next lane. */
    [STATEMENT_RETAIN_TILE] = "SELECT " TILE " FROM spool_batch "
                              "WHERE (destination, lane, lo) >= (?1, ?2, ?3) "
                              "ORDER BY destination, lane, lo LIMIT 1",
    [STATEMENT_RETAIN_ANY] =
        "SELECT EXISTS (SELECT 1 FROM spool_event WHERE id BETWEEN ?1 AND ?2)",
    [STATEMENT_RETAIN_KEYS] =
        "DELETE FROM spool_key WHERE key IN "
        "(SELECT key FROM spool_key WHERE at < ?1 LIMIT ?2)",
    [STATEMENT_RETAIN_ORDERS] =
        "DELETE FROM spool_order WHERE number IN "
        "(SELECT number FROM spool_order WHERE at < ?1 LIMIT ?2)",
    [STATEMENT_RETAIN_NEWEST_KEY] =
        "SELECT max(coalesce((SELECT max(at) FROM spool_key), 0), "
        "coalesce((SELECT max(at) FROM spool_order), 0))",
    [STATEMENT_RETAIN_FREE] = "PRAGMA freelist_count",
    [STATEMENT_RETAIN_SHRINK] = "PRAGMA incremental_vacuum(200)",

    [STATEMENT_EVENT_PUT_BACK] =
        "INSERT OR IGNORE INTO spool_event (id, at, part, crc, body) "
        "VALUES (?1, ?2, ?3, ?4, ?5)",
    [STATEMENT_LOST_PUT] =
        "INSERT OR REPLACE INTO spool_lost (lo, hi, at, cause) "
        "VALUES (?1, ?2, ?3, ?4)",
    /* Lost ones, and those that were shed before ?3 came to them: the first
     * run of these may begin before ?1. */
    [STATEMENT_MISSING_BETWEEN] =
        "SELECT coalesce((SELECT sum(min(hi, ?2) - max(lo, ?1) + 1) "
        "FROM spool_lost WHERE lo <= ?2 AND hi >= ?1), 0) + "
        "coalesce((SELECT sum(min(hi, ?2) - max(lo, ?1) + 1) FROM spool_shed "
        "WHERE destination = ?3 AND lo <= ?2 AND hi >= ?1 AND lo >= "
        "coalesce((SELECT max(lo) FROM spool_shed WHERE destination = ?3 "
        "AND lo <= ?1), 0)), 0)",
    [STATEMENT_ORDERS_OPEN_BETWEEN] =
        "SELECT number, event FROM spool_order "
        "WHERE event BETWEEN ?1 AND ?2 AND delivered_at IS NULL",
    [STATEMENT_DESTINATION_NEXT] =
        "SELECT min(id) FROM spool_destination WHERE id > ?1",
    [STATEMENT_DESTINATION_STAND_IN] =
        "INSERT INTO spool_destination (id, name, url, profile, lanes, "
        "batch_events, batch_bytes, batch_age_ms, backoff_base_ms, "
        "backoff_cap_ms, hold_after, base, state, reason, since) "
        "VALUES (?1, ?2, '', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 'paused', "
        "'it stands for destinations that could not be read any more; it "
        "keeps the events for them', ?11)",
    [STATEMENT_DESTINATION_BACK] =
        "UPDATE spool_destination SET base = ?2, rewound = rewound + 1 "
        "WHERE id = ?1",
    [STATEMENT_LANES_BACK] =
        "UPDATE spool_lane SET base = ?3 WHERE destination = ?1 AND lane = ?2",
    /* A reader that was not moved back, or with none the store itself. */
    [STATEMENT_RECOVER_TO] =
        "SELECT coalesce((SELECT min(base) FROM spool_destination), "
        "(SELECT lost_to FROM spool_store))",
    [STATEMENT_RECOVER_DONE] =
        "SELECT count(*) FROM spool_audit WHERE action = 'recover' "
        "AND substr(detail, 1, length(?1) + 1) = ?1 || ':'",
    /* Up to which id the log was set aside behind the last time something was
     * put back. */
    [STATEMENT_NOT_RECOVERED] =
        "SELECT max(events) FROM spool_audit WHERE action = 'set-aside' "
        "AND id > coalesce((SELECT max(id) FROM spool_audit "
        "WHERE action = 'recover'), 0)",
    [STATEMENT_EVENT_IDS] =
        "SELECT id FROM spool_event WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
    [STATEMENT_RECOVER_RANGE] =
        "UPDATE spool_store SET dropped_to = max(dropped_to, ?1) "
        "WHERE ?2 >= ?1",

    [STATEMENT_SUMS] =
        "SELECT accepted, pending, sending, retrying, uncertain, delivered, "
        "dead, purged, held, passed, lost FROM spool_sums "
        "WHERE destination = ?1",
    /* The first event of a lane behind an id that waits for no page. */
    [STATEMENT_OLDEST] =
        "SELECT e.id, e.at FROM spool_destination AS d "
        "CROSS JOIN spool_event AS e WHERE d.id = ?2 AND e.id > ?1 "
        "AND NOT EXISTS (SELECT 1 FROM spool_hold WHERE event = e.id) "
        "AND ?3 = " LANE_OF("e", "d") " ORDER BY e.id LIMIT 1",
    /* Likewise of any lane, behind the lane's cursor. */
    [STATEMENT_OLDEST_UNCUT] =
        "SELECT e.id, e.at FROM spool_destination AS d "
        "CROSS JOIN spool_event AS e CROSS JOIN spool_lane AS l "
        "WHERE d.id = ?2 AND e.id > ?1 AND l.destination = d.id "
        "AND l.lane = " LANE_OF(
            "e",
            "d") " AND e.id > l.cursor "
                 "AND NOT EXISTS (SELECT 1 FROM spool_hold WHERE event = e.id) "
                 "ORDER BY e.id LIMIT 1",
    /* The first that does: behind the cursor, or a tile of its own. */
    [STATEMENT_OLDEST_HELD] =
        "SELECT e.id, e.at FROM spool_destination AS d "
        "CROSS JOIN spool_hold AS h CROSS JOIN spool_event AS e "
        "CROSS JOIN spool_lane AS l WHERE d.id = ?1 AND h.event > d.base "
        "AND h.until IS NOT NULL AND e.id = h.event "
        "AND l.destination = d.id AND l.lane = h.part % d.lanes "
        "AND (h.event > l.cursor OR EXISTS (SELECT 1 FROM spool_batch AS b "
        "WHERE b.destination = d.id AND b.lane = l.lane AND b.lo = h.event "
        "AND b.state = 'held')) ORDER BY h.event LIMIT 1",
};
