// node tests/mutants/run.js [NAME...]
//
// Plants every mistake of mutants.js, one at a time, in a copy of the source,
// builds it and runs the test that must notice. One that is not noticed is a
// missing test; one that can no longer be planted has to be written anew. With
// names, only those that contain one of them. Takes ten minutes.
'use strict';

const {execFileSync, spawnSync} = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const mutants = require('./mutants.js');

const source = path.resolve(__dirname, '../..');
const began = Date.now();
const words = process.argv.slice(2);
const chosen = mutants.filter((m) => words.length === 0 ||
    words.some((w) => m.name.includes(w)));
const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'spool-mutants-'));
const build = path.join(copy, 'build/default');

// Some mutants are caught by a test that then hangs: that is caught too.
const TEST_SECONDS = 180;

function quietly(command, args) {
    const r = spawnSync(command, args,
        {cwd: copy, encoding: 'utf8', maxBuffer: 1 << 26,
            // What a mutant's tests find is no result.
            env: {...process.env, SPOOL_TEST_RESULTS: ''}});
    return {ok: r.status === 0, output: (r.stdout || '') + (r.stderr || '')};
}

function compile() {
    return quietly('cmake', ['--build', build, '-j', String(os.cpus().length)]);
}

// The names of ctest have slashes; they are matched whole.
function test(name) {
    return quietly('ctest', ['--test-dir', build, '--output-on-failure',
        '--timeout', String(TEST_SECONDS), '--no-tests=error', '-R',
        '^' + name + '$']);
}

function plant(mutant) {
    const before = new Map();
    for (const [file, from, to] of mutant.edits) {
        const name = path.join(copy, file);
        const text = fs.readFileSync(name, 'utf8');
        if (!before.has(name)) {
            before.set(name, text);
        }
        if (text.split(from).length !== 2) {
            return {before, why: `${file} does not say once: ${from}`};
        }
        fs.writeFileSync(name, text.replace(from, () => to));
    }
    return {before};
}

// Why the mutant was not caught; null when it was.
function survives(mutant) {
    const {before, why} = plant(mutant);
    try {
        if (why) {
            return why;
        }
        const built = compile();
        if (!built.ok) {
            return 'it does not build: ' + built.output.slice(-1500);
        }
        return test(mutant.test).ok ? `${mutant.test} does not notice` : null;
    } finally {
        for (const [name, text] of before) {
            fs.writeFileSync(name, text);
        }
    }
}

function tell(line) {
    const text = JSON.stringify(line) + '\n';
    process.stdout.write(text);
    if (process.env.SPOOL_TEST_RESULTS) {
        fs.appendFileSync(process.env.SPOOL_TEST_RESULTS, text);
    }
}

function versions() {
    const ask = (name) => execFileSync('pkgconf', ['--modversion', name],
        {encoding: 'utf8'}).trim();
    return {sqlite: ask('sqlite3'), curl: ask('libcurl'), json_c: ask('json-c'),
        uv: ask('libuv'), file_system: 'none'};
}

function main() {
    for (const name of ['CMakeLists.txt', 'CMakePresets.json', '.clang-format',
        'README.md', 'include', 'schema', 'src', 'tests', 'tools']) {
        fs.cpSync(path.join(source, name), path.join(copy, name),
            {recursive: true, filter: (f) => !f.includes('node_modules')});
    }
    const ready = quietly('cmake', ['--preset', 'default']);
    const clean = ready.ok ? compile() : ready;
    if (!clean.ok) {
        throw new Error('the source does not build: ' + clean.output);
    }
    // A test that fails by itself would catch every mutant.
    const control = [...new Set(chosen.map((m) => m.test))]
        .filter((name) => !test(name).ok);
    const alive = [];
    for (const mutant of chosen) {
        const why = survives(mutant);
        console.log(`${why ? 'SURVIVES' : 'killed  '}  ${mutant.name}` +
            (why ? ` (${why})` : ''));
        if (why) {
            alive.push(mutant.name);
        }
    }
    tell({test: 'mutants', what: 'a mistake planted in the source',
        n: chosen.length, failures: alive.length, seed: '0',
        control: control.length === 0 ?
            'the tests pass on the source as it is' :
            'fail on the source as it is: ' + control.join(' '),
        caught: control.length === 0,
        seconds: Math.round((Date.now() - began) / 1000),
        commit: process.env.SPOOL_TEST_COMMIT || '', ...versions()});
    return alive.length === 0 && control.length === 0 ? 0 : 1;
}

try {
    process.exitCode = main();
} finally {
    fs.rmSync(copy, {recursive: true, force: true});
}
