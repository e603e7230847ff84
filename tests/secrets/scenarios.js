// What spoolctl is put through by run.js: for each scenario the endpoint's
// faults, where the destination points, and the steps with the exits that they
// may end with.
'use strict';

function scenarios({user, email, ip}) {
    const event = (more) => JSON.stringify({name: 'PAGE_VIEW', userId: user,
        sessionId: 's1', device: 'PC', pageUrl: 'https://www.example.com/',
        category: 'Home Page', currency: 'EUR', lang: 'EN',
        params: {email, ip}, ...more}) + '\n';
    const purchase = (price) => JSON.stringify({name: 'CHECKOUT',
        step: 'purchase', userId: user, sessionId: 's1', device: 'PC',
        pageUrl: 'https://www.example.com/', orderNo: '4711',
        totalPrice: price, currency: 'EUR', lang: 'EN', params: {email, ip},
        productList: [{productId: '1', price, quantity: 1}]}) + '\n';
    const ctl = (line, ends, more) =>
        ({args: line.split(' '), ends, ...more});
    const put = ctl('put', [0], {input: event() + event()});
    const flush = ctl('flush --timeout 300ms', [0, 5]);
    // They tell whose an event is.
    const userToo = {allowed: ['user']};
    const show = [ctl('show 1', [0], userToo),
        ctl('--json show 1', [0], userToo)];
    const look = [ctl('status', [0]), ctl('why 1', [0]), ctl('why shop', [0]),
        ...show];
    const refused = (name, input, args) => ({name, steps: [
        ctl(args || 'put', [1, 2, 5], {input})]});
    const fault = (faults) => ({name: `flush, ${faults}`, faults,
        steps: [put, flush, show[0], ctl('why 1', [0])]});
    const wrong = event({device: email, params: email, lang: ip});
    const kill = (signal) => ({name: `killed by ${signal}`, faults: 'hang',
        steps: [put, ctl('flush', [], {kill: signal})]});

    return [
        {name: 'put', steps: [put]},
        {name: 'put as JSON', steps: [ctl('--json put', [0],
            {input: event()})]},
        refused('put of a wrong type', wrong),
        refused('put of a wrong type, as JSON', wrong, '--json put'),
        refused('put, strict', wrong, 'put --strict'),
        {name: 'put, quarantined', steps: [ctl('put --quarantine', [0, 5],
            {input: wrong}), ...look, ctl('--json ls', [0, 3],
            userToo)]},
        refused('put of broken JSON', event().slice(0, -4)),
        refused('put of no JSON', `"${email} ${ip}`),
        refused('put of a member twice',
            `{"name":"${email}","name":"${ip}"}`),
        refused('put of an unknown event', event({name: email})),
        refused('check', wrong, 'check'),
        refused('check as JSON', wrong, '--json check'),
        {name: 'put of an order that differs', steps: [
            ctl('put', [0], {input: purchase(1)}),
            ctl('put', [5], {input: purchase(2)}),
            ctl('--json put', [5], {input: purchase(3)}),
            ctl('order 4711', [0, 5])]},
        {name: 'delivered', steps: [put, ctl('flush', [0]), ...look]},
        {name: 'delivered, as JSON', steps: [put, ctl('--json flush', [0]),
            ctl('--json status', [0]), ...show]},
        ...['status=401', 'status=403', 'status=404', 'status=405',
            'status=500', 'status=503', 'retry-after=1', 'refuse-all',
            'bad-input-if=s1', 'code=UNVERIFIED_ACCOUNT',
            'redirect=http://127.0.0.1:1/', 'status=307', 'html', 'garbage',
            'hang', 'drop-after', 'close-after', 'reset-after', 'bad-json',
            'huge', 'cut', 'gzip'].map(fault),
        {name: 'nobody listens', at: 'nobody', steps: [put, flush, ...look]},
        {name: 'no TLS there', at: 'tls', steps: [put, flush, ...look]},
        {name: 'TLS secrets asked for', at: 'tls', steps: [put,
            {...flush, env: {SSLKEYLOGFILE: 'tls-secrets'}}]},
        {name: 'proxy from the environment', steps: [put,
            {...flush, env: {http_proxy: 'http://127.0.0.1:1'}}]},
        {name: 'an endpoint that says it back', at: 'echo',
            steps: [put, flush, ...look]},
        {name: 'an endpoint that quotes its words', at: 'quoter',
            steps: [put, flush, ...look]},
        {name: 'listed', steps: [put, ctl('ls', [0], userToo),
            ctl('--json ls', [0], userToo),
            ctl('destination ls', [0]), ctl('--json destination ls', [0])]},
        {name: 'set anew', faults: 'status=401', steps: [put, flush,
            ctl('destination set shop --batch-events 3', [0]),
            ctl('pause shop', [0]), ctl('resume shop', [0])]},
        {name: 'replayed and purged', faults: 'refuse-all', steps: [put, flush,
            ctl('replay --all --dry-run', [0, 3]),
            ctl('purge --all --yes', [0, 3]),
            ctl('--json purge 1 --yes', [0, 3])]},
        {name: 'verified', steps: [put, ctl('verify', [0]), ctl('gate', [5]),
            ctl('--json verify', [0])]},
        {name: 'wrong usage', steps: [ctl('flush nowhere', [1, 2, 3]),
            ctl('ls --state wrong', [2]), ctl('show 99', [3])]},
        kill('SIGABRT'), kill('SIGSEGV'), kill('SIGKILL'),
    ];
}

module.exports = {scenarios};
