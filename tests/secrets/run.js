// node tests/secrets/run.js SPOOLCTL SANDBOX
//
// An API key, two words of headers from a file, a user, an e-mail address and an
// IP address that occur nowhere else go through spoolctl in many scenarios. They
// are then looked for, in many spellings, wherever they have no business: what
// it prints, its arguments and environment while it runs, every byte of every
// file, and whatever it writes or sends anywhere else (by strace). The key and
// the words may be in requests alone; events in requests and in the spool; a
// user in what `ls` and `show` print.
//
// One leak for each channel is planted in the same run and must be found. Every
// scenario once; with SPOOL_TEST_FULL=1 twenty times.
'use strict';

const {spawn, spawnSync} = require('child_process');
const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');
const {scenarios} = require('./scenarios.js');

const [spoolctl, sandbox] = process.argv.slice(2);
const rounds = process.env.SPOOL_TEST_FULL === '1' ? 20 : 1;
const began = Date.now();
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'spool-secrets-'));
const random = (n) => require('crypto').randomBytes(n).toString('hex');
const canaries = {
    key: `K+${random(8)}/y=`,
    token: `T/${random(8)}\\t`,
    cookie: `C/${random(8)}`,
    user: `user+${random(8)}`,
    email: `${random(8)}@mail.example.org`,
    ip: `203.0.113.77~${random(6)}`,
};

// As an endpoint may write it.
function quotings(text) {
    const json = JSON.stringify(text).slice(1, -1);
    const url = encodeURIComponent(text);
    return [text, json, json.replace(/\//g, '\\/'), url,
        url.replace(/%../g, (hex) => hex.toLowerCase()),
        [...text].map((c) => '\\u00' + c.charCodeAt(0).toString(16)).join('')];
}

function spellings(text) {
    const bytes = Buffer.from(text);
    const all = [...quotings(text), bytes.toString('hex'),
        bytes.toString('hex').toUpperCase(),
        encodeURIComponent(text).toLowerCase(), text.replace(/\//g, '\\/')];
    // Base64 of whatever surrounds it: its three alignments, without the
    // characters at both ends that depend on the neighbours.
    for (const before of ['', 'x', 'xx']) {
        const coded = Buffer.from(before + text + 'xx').toString('base64')
            .slice(4, -6);
        all.push(coded, coded.replace(/\+/g, '-').replace(/\//g, '_'));
    }
    return [...new Set(all)];
}

const needles = Object.entries(canaries).flatMap(([what, text]) =>
    spellings(text).map((spelling) => [what, Buffer.from(spelling)]));

const ends = []; // what is to be done at the end
const leaks = [];
let looks = 0;

function look(where, bytes, allowed, found) {
    looks++;
    for (const [what, needle] of needles) {
        if (!allowed.includes(what) && bytes.includes(needle)) {
            found.add(where);
            leaks.push(`${what} in ${where}: ${needle}`);
        }
    }
}

const EVENT = ['user', 'email', 'ip'];

// Lines of strace: a call that writes and the descriptor it writes to.
function lookAtTrace(text, allowed, found) {
    let traced = 0;
    for (const line of text.split('\n')) {
        const call = /^\d+ +(\w+)\((\d+)<([^>]*)/.exec(line);
        if (!call) {
            continue;
        }
        traced++;
        const [, , fd, target] = call;
        if (/^TCP/.test(target) || fd === '1' || fd === '2') {
            continue; // a request; or scanned as output
        }
        look('trace', Buffer.from(line),
            /\.db(-wal|-shm)?$/.test(target) ? EVENT : allowed, found);
    }
    return traced;
}

function lookAtFiles(folder, allowed, found) {
    for (const entry of fs.readdirSync(folder, {withFileTypes: true})) {
        const name = path.join(folder, entry.name);
        if (entry.isDirectory()) {
            lookAtFiles(name, allowed, found);
        } else if (entry.isFile() &&
            !['key', 'headers'].includes(entry.name)) {
            look('file', fs.readFileSync(name),
                /\.db(-wal|-shm)?$/.test(entry.name) ? EVENT : allowed, found);
        }
    }
}

function descendants(pid) {
    const pids = [pid];
    for (let i = 0; i < pids.length; i++) {
        try {
            const children = fs.readFileSync(
                `/proc/${pids[i]}/task/${pids[i]}/children`, 'utf8');
            pids.push(...children.split(' ').filter(Boolean));
        } catch {
            // has ended
        }
    }
    return pids;
}

function lookAtProcesses(pid, found) {
    for (const one of descendants(pid)) {
        for (const file of ['cmdline', 'environ']) {
            try {
                look(file, fs.readFileSync(`/proc/${one}/${file}`), [], found);
            } catch {
                // has ended, or is not to be looked into
            }
        }
    }
}

// Runs it under strace and looks everywhere. step: argv, input, env, kill,
// allowed (in the output).
async function play(folder, step) {
    const found = new Set();
    const trace = path.join(root, 'trace');
    const child = spawn('strace', ['-f', '-q', '-yy', '-s', '1000000', '-e',
        'trace=write,writev,pwrite64,pwritev,sendto,sendmsg,sendmmsg', '-o',
        trace, ...step.argv], {cwd: folder, env: {
        ...process.env, TZ: 'UTC', ASAN_OPTIONS: 'detect_leaks=0',
        SPOOL_PATH: path.join(folder, 'outbox.db'), ...step.env}});
    const output = {stdout: [], stderr: []};
    child.stdout.on('data', (data) => output.stdout.push(data));
    child.stderr.on('data', (data) => output.stderr.push(data));
    child.stdin.on('error', () => {});
    child.stdin.end(step.input || '');
    const watch = setInterval(() => lookAtProcesses(child.pid, found), 10);
    if (step.kill) {
        await new Promise((go) => setTimeout(go, 400));
        for (const pid of descendants(child.pid).slice(1)) {
            process.kill(Number(pid), step.kill);
        }
    }
    const status = await new Promise((done) => child.on('close', done));
    clearInterval(watch);
    look('stdout', Buffer.concat(output.stdout), step.allowed || [], found);
    look('stderr', Buffer.concat(output.stderr), [], found);
    const traced = lookAtTrace(fs.readFileSync(trace, 'latin1'), [], found);
    lookAtFiles(folder, [], found);
    return {status, traced, found};
}

function quietly(folder, ...args) {
    const r = spawnSync(spoolctl, ['-q', ...args], {cwd: folder,
        encoding: 'utf8',
        env: {...process.env, SPOOL_PATH: path.join(folder, 'outbox.db')}});
    if (r.status !== 0) {
        throw new Error(`spoolctl ${args.join(' ')}: ${r.stderr}`);
    }
}

function makeSpool(name, url) {
    const folder = path.join(root, name);
    fs.mkdirSync(folder, {mode: 0o700});
    fs.writeFileSync(path.join(folder, 'key'), canaries.key + '\n',
        {mode: 0o600});
    fs.writeFileSync(path.join(folder, 'headers'),
        `Authorization: Bearer ${canaries.token}\n` +
        `Cookie: sid=${canaries.cookie}; theme=dark\n`, {mode: 0o600});
    quietly(folder, 'init');
    quietly(folder, 'destination', 'add', 'shop', '--url', url,
        '--api-key-file', path.join(folder, 'key'), '--header-file',
        path.join(folder, 'headers'), '--origin',
        'https://www.example.com', '--backoff-ms', '5:20');
    return folder;
}

// An endpoint that refuses with what say makes of the request.
function startEcho(say) {
    const server = http.createServer((request, answer) => {
        request.resume();
        request.on('end', () => {
            answer.statusCode = 401;
            answer.end(say(request));
        });
    });
    return new Promise((go) => server.listen(0, '127.0.0.1',
        () => go(server)));
}

function sayAll(request) {
    return `no: ${request.url} ` + JSON.stringify(request.headers);
}

function sayWords() {
    return `{"error":"${[canaries.key, canaries.token, canaries.cookie]
        .flatMap(quotings).join(' ')} expired"}`;
}

async function startSandbox() {
    const file = path.join(root, 'port');
    const child = spawn(sandbox, ['--port-file', file,
        '--seconds', `${rounds * 600}`], {stdio: 'ignore'});
    ends.push(() => child.kill());
    while (!fs.existsSync(file) || !fs.readFileSync(file, 'utf8').trim()) {
        await new Promise((go) => setTimeout(go, 10));
    }
    return fs.readFileSync(file, 'utf8').trim();
}

// One leak a channel; how many were not found.
async function plantLeaks() {
    const secret = canaries.key;
    const leaking = [
        ['stdout', {argv: ['cat'], input: secret}],
        ['stderr', {argv: ['sh', '-c', 'cat >&2'], input: secret}],
        ['file', {argv: ['sh', '-c', 'cat >notes'], input: secret}],
        ['file', {argv: ['sh', '-c', 'base64 >coded'], input: secret}],
        ['file', {argv: ['sh', '-c', 'cat >core'],
            input: encodeURIComponent(secret)}],
        ['file', {argv: ['sh', '-c', 'cat >outbox.db'], input: secret}],
        ['trace', {argv: ['tee', '/dev/null'], input: secret}],
        ['cmdline', {argv: ['sh', '-c', 'sleep 0.3; :', secret]}],
        ['environ', {argv: ['sleep', '0.3'], env: {KEY: secret}}],
        ['stdout', {argv: ['cat'], input: Buffer.from(canaries.email)
            .toString('hex')}],
    ];
    const missed = [];
    for (const [i, [channel, step]] of leaking.entries()) {
        const folder = path.join(root, `leak-${i}`);
        fs.mkdirSync(folder);
        const {found} = await play(folder, step);
        if (!found.has(channel)) {
            missed.push(channel);
        }
        fs.rmSync(folder, {recursive: true});
    }
    leaks.length = 0;
    return {planted: leaking.length, missed};
}

function versions() {
    const ask = (name) => spawnSync('pkgconf', ['--modversion', name],
        {encoding: 'utf8'}).stdout.trim();
    return {sqlite: ask('sqlite3'), curl: ask('libcurl'), json_c: ask('json-c'),
        uv: ask('libuv'), file_system: 'none'};
}

function tell(line) {
    const text = JSON.stringify(line) + '\n';
    process.stdout.write(text);
    if (process.env.SPOOL_TEST_RESULTS) {
        fs.appendFileSync(process.env.SPOOL_TEST_RESULTS, text);
    }
}

async function main() {
    const {planted, missed} = await plantLeaks();
    const port = await startSandbox();
    const echo = await startEcho(sayAll);
    const quoter = await startEcho(sayWords);
    const places = {sandbox: `http://127.0.0.1:${port}`,
        tls: `https://127.0.0.1:${port}`, nobody: 'http://127.0.0.1:1',
        echo: `http://127.0.0.1:${echo.address().port}`,
        quoter: `http://127.0.0.1:${quoter.address().port}`};
    let calls = 0;
    let failures = 0;
    const list = Array.from({length: rounds}, () => scenarios(canaries))
        .flat();
    for (const [i, scenario] of list.entries()) {
        await fetch(`${places.sandbox}/sandbox/faults`,
            {method: 'POST', body: scenario.faults || ''});
        const folder = makeSpool(`s${i}`, places[scenario.at || 'sandbox']);
        const before = leaks.length;
        for (const step of scenario.steps) {
            const {status, traced} = await play(folder,
                {...step, argv: [spoolctl, ...step.args]});
            calls += traced;
            if (step.kill ? status === 0 : !step.ends.includes(status)) {
                leaks.push(`spoolctl ${step.args.join(' ')} ends ${status}`);
            }
        }
        if (leaks.length > before) {
            failures++;
            console.log(`FAILED ${scenario.name}\n  ` +
                [...new Set(leaks.slice(before))].join('\n  '));
        }
        fs.rmSync(folder, {recursive: true});
    }
    const caught = missed.length === 0;
    tell({test: 'secrets', what: 'a scenario in which a key and a shopper ' +
        'are looked for wherever they have no business',
        n: list.length, failures, seed: '0',
        control: caught ? `${planted} planted leaks found` :
            `not found: ${missed.join(' ')}`,
        caught, seconds: Math.round((Date.now() - began) / 1000),
        commit: process.env.SPOOL_TEST_COMMIT || '', ...versions(),
        texts_searched: looks, writes_traced: calls});
    return failures === 0 && caught ? 0 : 1;
}

main().catch((error) => {
    console.error(error);
    return 1;
}).then((status) => {
    ends.forEach((end) => end());
    fs.rmSync(root, {recursive: true, force: true});
    process.exit(status);
});
