// Mistakes that would lose, double, reorder or betray events, each planted in a
// copy of the source by tests/mutants/run.js, and the test that must notice it.
// `from` stands exactly once in the file.
'use strict';

const SELECT_VISIT =
    '"AND spool_visit(id, at, part, crc, body) ORDER BY id"';

module.exports = [
    {
        name: 'commits sync as synchronous=NORMAL does',
        edits: [
            ['src/outbox/db_open.c', '"PRAGMA synchronous = FULL;"',
                '"PRAGMA synchronous = NORMAL;"'],
            ['src/outbox/db_open.c', 'pragma_is(db, "synchronous", "2", err)',
                'pragma_is(db, "synchronous", "1", err)'],
        ],
        test: 'crash/power',
    },
    {
        name: 'what follows a step of retention is not synced either',
        edits: [['src/outbox/writer.c',
            'db_set_unsynced(&w->db, false, &failed_too)',
            'db_set_unsynced(&w->db, true, &failed_too)']],
        test: 'crash/power',
    },
    {
        name: 'what a failed sync lost goes into the database as it is',
        edits: [['src/outbox/checkpoint.c',
            'doubted ? write_again(w, known ? frames : 0, err) : SPOOL_OK;',
            'SPOOL_OK;\n    (void)write_again;\n    (void)known;']],
        test: 'crash/power',
    },
    {
        name: 'what is written behind a sync may be lost without a word',
        edits: [['src/outbox/checkpoint.c',
            '(!w->db.owes_sync && !fills_up(wal))', '!w->db.owes_sync']],
        test: 'crash/power',
    },
    {
        name: 'an event is acknowledged whatever became of the commit',
        edits: [['src/outbox/writer.c', 'status = db_commit(&w->db, why);',
            '(void)db_commit(&w->db, why);']],
        test: 'crash/io',
    },
    {
        name: 'a batch is delivered before it was answered',
        edits: [['src/outbox/cut.c',
            'TILE_SENDING);', 'TILE_DELIVERED);']],
        test: 'unit/batch',
    },
    {
        name: 'a redirect counts as delivered',
        edits: [['src/delivery/verdict.c',
            'http, VERDICT_HOLD, "redirects are not',
            'http, VERDICT_DELIVERED, "redirects are not']],
        test: 'unit/verdict',
    },
    {
        name: 'no answer counts as delivered',
        edits: [['src/delivery/verdict.c',
            'decide(out, VERDICT_UNCERTAIN, "LOST",\n' +
            '               "sent, but',
            'decide(out, VERDICT_DELIVERED, "LOST",\n' +
            '               "sent, but']],
        test: 'unit/verdict',
    },
    {
        name: 'a full disk is not an error',
        edits: [['src/outbox/db.c',
            'case SQLITE_FULL:\n        return SPOOL_FULL;',
            'case SQLITE_FULL:\n        return SPOOL_OK;']],
        test: 'crash/io',
    },
    {
        name: 'retries have no jitter',
        edits: [['src/delivery/backoff.c',
            'floor + rng_upto(rng, most - floor)',
            'floor + rng_upto(rng, 0) + most - floor']],
        test: 'unit/backoff',
    },
    {
        name: 'waits go by the wall clock',
        edits: [['src/delivery/rest.c',
            'int64_t mono = clock_mono_ms(r->clock);',
            'int64_t mono = clock_wall_ms(r->clock);']],
        test: 'unit/flusher',
    },
    {
        name: 'a wall clock set forward ends a wait',
        edits: [['src/outbox/turn.c', '(at != 0 && at == j->take->not_yet)',
            'false']],
        test: 'unit/flusher',
    },
    {
        name: 'a pipe is read for a key',
        edits: [['src/base/secret_file.c', '!S_ISREG(st.st_mode)', '0']],
        test: 'places',
    },
    {
        name: 'Retry-After is not clamped',
        edits: [
            ['src/delivery/retry_after.c',
                'if (seconds < DAY_MS / 1000) {',
                'if (seconds < DAY_MS) {'],
            ['src/delivery/retry_after.c',
                'return wait < DAY_MS ? wait : DAY_MS;', 'return wait;'],
        ],
        test: 'unit/verdict',
    },
    {
        name: 'events leave in the order of their time',
        edits: [['src/outbox/statements.c', SELECT_VISIT,
            SELECT_VISIT.replace('ORDER BY id', 'ORDER BY at')]],
        test: 'unit/batch',
    },
    {
        name: 'events leave in any order',
        edits: [['src/outbox/statements.c', SELECT_VISIT,
            SELECT_VISIT.replace('ORDER BY id', 'ORDER BY crc')]],
        test: 'unit/batch',
    },
    {
        name: 'a batch is cut anew when it is sent again',
        edits: [['src/outbox/take.c', 'if (t->attempts > 0) {',
            'if (t->attempts > 1000) {']],
        test: 'unit/batch',
    },
    {
        name: 'a batch gets a new key when it is sent again',
        edits: [['src/outbox/take.c',
            't->state = TILE_SENDING;\n    t->attempts++;',
            't->state = TILE_SENDING;\n    t->attempts++;\n' +
            '    uuid_v7(&j->box->rng, j->now, t->key);']],
        test: 'unit/batch',
    },
    {
        name: 'a refused event is called delivered',
        edits: [['src/outbox/settle.c',
            'return settle_tile(db, j, t, TILE_DEAD, 0, err);',
            'return settle_tile(db, j, t, TILE_DELIVERED, 0, err);']],
        test: 'unit/batch',
    },
    {
        name: 'dead events are not counted',
        edits: [['schema/0003_limits.sql',
            'coalesce(t.dead, 0) + coalesce(h.dead, 0) AS dead', '0 AS dead']],
        test: 'unit/batch',
    },
    {
        name: 'dedupe keys are forgotten too early',
        edits: [['src/outbox/retain.c',
            'int64_t before = j->now - j->r->keep_keys_ms, newest = 0;',
            'int64_t before = j->now - j->r->keep_keys_ms / 2, newest = 0;']],
        test: 'unit/retain',
    },
    {
        name: 'retention does not wait for recover',
        edits: [['src/outbox/retain.c', 'if (box->not_recovered > 0) {',
            'box->not_recovered = 0;\n    if (box->not_recovered > 0) {']],
        test: 'unit/recover',
    },
    {
        name: 'a file that is gone is begun anew',
        edits: [['src/outbox/outbox.c',
            'status = guard_empty(box->path, err);', 'status = SPOOL_OK;']],
        test: 'unit/guard',
    },
    {
        name: 'a replay joins tiles of an express lane',
        edits: [['src/outbox/operate.c',
            'if (j->members.lane >= j->members.lanes) {\n        return SPOOL_OK;',
            'if (j->members.lane > 2 * j->members.lanes) {\n        return SPOOL_OK;']],
        test: 'unit/overtake',
    },
    {
        name: 'a damaged row is sent',
        edits: [['src/outbox/body.c', '} else if (!row_is_whole(row)) {',
            '} else if (!row_is_whole(row) && row->id < 0) {']],
        test: 'unit/outbox',
    },
    {
        name: 'the high-water mark of dropped ids is not kept',
        edits: [['src/outbox/statements.c',
            '[STATEMENT_RETAIN_NOTE] =\n' +
            '        "UPDATE spool_store SET dropped_to = max(dropped_to, ?1), "',
            '[STATEMENT_RETAIN_NOTE] =\n' +
            '        "UPDATE spool_store SET dropped_to = max(dropped_to, ?1 - ?1), "']],
        test: 'unit/retain',
    },
    {
        name: 'the mark of accepted ids is not written',
        edits: [['src/outbox/writer.c',
            'mark_note(&w->mark, w->db.told.last, w->db.told.epoch);', '']],
        test: 'unit/guard',
    },
    {
        name: 'the lock is a file with a number in it',
        edits: [['src/outbox/lock.c',
            'if (flock(fd, LOCK_EX | LOCK_NB) != 0) {',
            'if (read_pid(fd) > 0) {']],
        test: 'unit/outbox',
    },
    {
        name: 'the file is as open as the umask lets it',
        edits: [['src/outbox/site.c', '? 0660 : 0600;', '? 0660 : 0666;']],
        test: 'unit/outbox',
    },
    {
        name: 'redirects are followed',
        edits: [['src/delivery/bounds.c', 'SET(FOLLOWLOCATION, 0L)',
            'SET(FOLLOWLOCATION, 1L)']],
        test: 'unit/http',
    },
    {
        name: 'certificates are not verified',
        edits: [['src/delivery/bounds.c', 'SET(SSL_VERIFYPEER, 1L)',
            'SET(SSL_VERIFYPEER, 0L)']],
        test: 'unit/http_tls',
    },
    {
        name: 'an answer may be of any size',
        edits: [
            ['src/delivery/http.c', '.answer.limit = HTTP_BODY_LIMIT',
                '.answer.limit = 0'],
            ['src/delivery/http.c',
                'size_t room = HTTP_BODY_LIMIT - post->answer.len;',
                'size_t room = len + post->answer.len;'],
        ],
        test: 'unit/http',
    },
    {
        name: 'libcurl may send a request again by itself',
        edits: [['src/delivery/http.c',
            'SET(READFUNCTION, give_body) && SET(READDATA, post);',
            'SET(READFUNCTION, give_body) && SET(READDATA, post) &&\n' +
            '           SET(POSTFIELDS, post->body);']],
        test: 'unit/http',
    },
    {
        name: 'a checkpoint runs beside a writer',
        edits: [['src/outbox/checkpoint.c',
            'status = db_begin(&w->db, err);\n    }\n' +
            '    if (status != SPOOL_OK) {\n        return status;',
            'status = SPOOL_OK;\n    }\n' +
            '    if (status != SPOOL_OK) {\n        return status;']],
        test: 'crash/sqlite',
    },
    {
        name: 'what is in flight gives way at a limit',
        edits: [['src/outbox/shed.c', ': MET_OPEN;', ': MET_SETTLED;']],
        test: 'sim/limits',
    },
    {
        name: 'what gave way is sent by who had read it ahead',
        edits: [['src/outbox/cut.c', ' && p->shed == d->shed', '']],
        test: 'unit/shed',
    },
    {
        name: 'the id of what gave way is given out again',
        edits: [['src/outbox/shed.c', 'from, last - 1, &to', 'from, last, &to']],
        test: 'unit/shed',
    },
    {
        name: 'retention deletes as much as there is',
        edits: [['src/outbox/retain.c', '#define STEP_EVENTS 250',
            '#define STEP_EVENTS 250000']],
        test: 'crash/retention',
    },
    {
        name: 'a bad end is not made good',
        edits: [['src/outbox/guard.c',
            'status = checkpoint_mend(&box->writer, err);', '']],
        test: 'unit/guard',
    },
    {
        name: 'another spool\'s WAL is believed',
        edits: [['src/outbox/outbox.c',
            'status = guard_wal(box->path, err);', '']],
        test: 'crash/scenes',
    },
    {
        name: 'new events overtake older ones of their session',
        edits: [['src/outbox/overtake.c',
            'backlog_has(backlog, row->part)) {\n        r->broken',
            'row->part < 0) {\n        r->broken']],
        test: 'unit/overtake',
    },
    {
        name: 'what an operator let wait again is overtaken',
        edits: [['src/outbox/overtake.c', 'b->rewound == d->rewound &&', '']],
        test: 'unit/overtake',
    },
    {
        name: 'the lane does not end before what overtook it',
        edits: [['src/outbox/cut.c', '*limit = t.lo - 1;', '']],
        test: 'unit/overtake',
    },
    {
        name: 'what overtook the lane is sent by the lane as well',
        edits: [['src/outbox/cut.c', '*fits = express_to == p->express_to;',
            '']],
        test: 'unit/overtake',
    },
];
