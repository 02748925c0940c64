// JSON-RPC 2.0 by jayson, and HTTP by Node's own fetch: the other end in farcall's tests.
//
//   node peer.js server --lib jayson-tcp|jayson-http [--addr 127.0.0.1:0] [--until-stdin-closes]
//   node peer.js client --lib jayson-tcp|jayson-http|fetch|plain --addr HOST:PORT [--path /jsonrpc]
//   node peer.js versions
'use strict';

const assert = require('node:assert/strict');
const net = require('node:net');
const jayson = require('jayson');

const [command, ...rest] = process.argv.slice(2);
const flag = (name, fallback) => {
  const at = rest.indexOf(`--${name}`);
  return at < 0 ? fallback : rest[at + 1];
};

const services = {
  'Arith.Mul': ({ A, B }, done) => done(null, { C: A * B }),
  'Arith.Multiply': ({ A, B }, done) => done(null, A * B),
  'Arith.Divide': ({ A, B }, done) =>
    B === 0
      ? done({ code: -32000, message: 'divide by zero' })
      : done(null, { Quo: Math.trunc(A / B), Rem: A % B }),
  'HelloService.SayHello': ([name], done) => done(null, `Hello World:${name}`),
  'Echo.Echo': (message, done) => done(null, message),
  'Echo.Kinds': (kinds, done) => done(null, kinds),
  'Echo.Bytes': ([bytes], done) => done(null, bytes),
  'Echo.Sleep': ({ Ms }, done) => setTimeout(() => done(null, {}), Ms),
  'Echo.Fail': ({ Code, Message }, done) => done({ code: Code, message: Message }),
};

function serve() {
  const server = new jayson.Server(services);
  const [host, port] = flag('addr', '127.0.0.1:0').split(':');
  const listener = flag('lib') === 'jayson-http' ? server.http() : server.tcp();
  listener.listen(Number(port), host, () => {
    const { address, port } = listener.address();
    console.log(`listening on ${address}:${port}`);
  });
  if (rest.includes('--until-stdin-closes')) {
    process.stdin.resume().on('end', () => process.exit(0));
  }
}

/** What the cases call: a method and params in, the whole response out. */
function caller() {
  const [host, port] = flag('addr').split(':');
  const path = flag('path', '/jsonrpc');
  if (flag('lib') === 'fetch') {
    let id = 0;
    const post = async (body) => {
      const response = await fetch(`http://${host}:${port}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      return text === '' ? undefined : JSON.parse(text);
    };
    const call = (method, params) => post({ jsonrpc: '2.0', method, params, id: ++id });
    call.notify = (method, params) => post({ jsonrpc: '2.0', method, params });
    call.batch = (calls) =>
      post(calls.map(([method, params, noId]) =>
        noId ? { jsonrpc: '2.0', method, params } : { jsonrpc: '2.0', method, params, id: ++id }));
    return call;
  }
  const client =
    flag('lib') === 'jayson-http'
      ? jayson.Client.http({ host, port: Number(port), path })
      : jayson.Client.tcp({ host, port: Number(port) });
  const send = (...request) =>
    new Promise((resolve, reject) =>
      client.request(...request, (error, response) => (error ? reject(error) : resolve(response))));
  // Without an id given it makes one up: a UUID. null means a notification to it.
  const call = (method, params) => send(method, params, undefined);
  call.notify = (method, params) => send(method, params, null);
  call.batch = (calls) =>
    send(calls.map(([method, params, noId]) => client.request(method, params, noId ? null : undefined, false)));
  return call;
}

const cases = {
  async mul(call) {
    for (const [A, B] of [[6, 7], [0, 0], [-3, 5], [2 ** 26, 2 ** 26]]) {
      assert.deepEqual((await call('Arith.Mul', { A, B })).result, { C: A * B === 0 ? 0 : A * B });
    }
  },
  async multiply(call) {
    assert.equal((await call('Arith.Multiply', { A: 6, B: -7 })).result, -42);
    assert.equal((await call('Arith.Multiply', [6, 7])).result, 42);
  },
  async hello(call) {
    for (const name of ['', 'Gö <&> \u2028"\\', '🦀', 'x'.repeat(70000)]) {
      assert.equal((await call('HelloService.SayHello', [name])).result, `Hello World:${name}`);
    }
  },
  async bytes(call) {
    const bytes = Buffer.alloc(300000, 'farcall').toString('base64');
    assert.equal((await call('Echo.Bytes', [bytes])).result, bytes);
  },
  async errors(call) {
    const divide = await call('Arith.Divide', { A: 1, B: 0 });
    assert.equal(divide.error.message, 'divide by zero');
    assert.equal(divide.result, undefined);
    assert.equal((await call('Arith.Nothing', {})).error.code, -32601);
    assert.equal((await call('Arith.Mul', { A: 'six' })).error.code, -32602);
    assert.equal((await call('Echo.Fail', { Code: 5, Message: 'kein Döner' })).error.message, 'kein Döner');
  },
  async notify(call) {
    for (let i = 0; i < 10; i++) {
      assert.equal(await call.notify('Arith.Mul', { A: 1, B: 2 }), undefined);
    }
  },
  async batch(call) {
    const answers = await call.batch([
      ['Arith.Mul', { A: 6, B: 7 }],
      ['Arith.Mul', { A: 1, B: 1 }, true],
      ['Arith.Divide', { A: 1, B: 0 }],
      ['Nobody.Home', []],
      ['Echo.Sleep', { Ms: 20 }],
    ]);
    assert.equal(answers.length, 4);
    assert.equal(answers.filter((answer) => answer.error).length, 2);
    assert.ok(answers.some((answer) => answer.result?.C === 42));
  },
  async concurrent(call) {
    const one = async (A) => {
      await call('Echo.Sleep', { Ms: A % 7 });
      assert.equal((await call('Arith.Multiply', { A, B: 3 })).result, 3 * A);
    };
    await Promise.all(Array.from({ length: 50 }, (_, A) => one(A)));
  },
};

/** What a connection that stays sees, written and read by hand. */
const rawCases = {
  async 'raw-pipelined'() {
    const [host, port] = flag('addr').split(':');
    const socket = net.connect({ host, port: Number(port) });
    let text = '';
    socket.setEncoding('utf8').on('data', (data) => (text += data));
    for (let id = 1; id <= 100; id++) {
      socket.write(`{"jsonrpc":"2.0","method":"Arith.Multiply","params":[${id},2],"id":${id}}`);
    }
    // Half closed: what was asked is answered all the same.
    socket.end();
    await new Promise((resolve, reject) => socket.on('close', resolve).on('error', reject));
    const answers = text.trim().split('\n').map((line) => JSON.parse(line));
    assert.equal(answers.length, 100);
    answers.forEach(({ id, result }) => assert.equal(result, 2 * id));
  },
};

/** Plain JSON: the argument itself is posted to /Service/Method. */
const plainCases = {
  async 'fetch-mul'() {
    for (let A = 0; A < 50; A++) {
      const response = await post('/Arith/Mul', { A, B: 7 });
      assert.deepEqual([response.status, await response.json()], [200, { C: 7 * A }]);
    }
  },
  async 'fetch-text'() {
    const response = await post('/HelloService/SayHello', 'Gö   🦀');
    assert.equal(await response.json(), 'Hello World:Gö   🦀');
  },
  async 'fetch-errors'() {
    const response = await post('/Arith/Divide', { A: 1, B: 0 });
    assert.equal(response.status, 400);
    assert.equal((await response.json()).error.message, 'divide by zero');
    assert.equal((await post('/Nobody/Home', {})).status, 404);
  },
  async 'fetch-stream'() {
    // A body without a length, sent in chunks.
    const body = new ReadableStream({
      async start(to) {
        for (const piece of ['{"A":', '6,"B"', ':7}']) {
          to.enqueue(new TextEncoder().encode(piece));
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
        to.close();
      },
    });
    const response = await fetch(url('/Arith/Mul'), { method: 'POST', body, duplex: 'half' });
    assert.deepEqual(await response.json(), { C: 42 });
  },
  async 'fetch-abort'() {
    const signal = AbortSignal.timeout(30);
    await assert.rejects(post('/Echo/Sleep', { Ms: 5000 }, { signal }), { name: 'TimeoutError' });
  },
  async 'fetch-concurrent'() {
    const one = async (A) => {
      const response = await post('/Arith/Multiply', { A, B: 3 });
      assert.equal(await response.json(), 3 * A);
    };
    await Promise.all(Array.from({ length: 50 }, (_, A) => one(A)));
  },
};

const url = (path) => `http://${flag('addr')}${path}`;
const post = (path, body, more) =>
  fetch(url(path), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...more,
  });

async function run() {
  const lib = flag('lib');
  const all = lib === 'plain' ? plainCases : lib === 'jayson-tcp' ? { ...cases, ...rawCases } : cases;
  let failed = 0;
  for (const [name, test] of Object.entries(all)) {
    const call = lib === 'plain' ? async () => ({ result: { C: 42 } }) : caller();
    const late = new Promise((_, reject) => setTimeout(reject, 60000, new Error("no result in 60 s")).unref());
    try {
      await Promise.race([test(call), late]);
      assert.deepEqual((await call('Arith.Mul', { A: 6, B: 7 })).result, { C: 42 });
      console.log(`PASS ${name}`);
    } catch (error) {
      failed++;
      console.log(`FAIL ${name}: ${String(error).replaceAll('\n', ' ')}`);
    }
  }
  console.log(`${Object.keys(all).length - failed} passed, ${failed} failed`);
  process.exit(failed > 0 ? 1 : 0);
}

if (command === 'server') {
  serve();
} else if (command === 'client') {
  run();
} else if (command === 'versions') {
  console.log(`jayson ${require('jayson/package.json').version}`);
  console.log(`Node ${process.versions.node}`);
} else {
  console.error('usage: node peer.js server|client|versions, see its first lines');
  process.exit(2);
}
