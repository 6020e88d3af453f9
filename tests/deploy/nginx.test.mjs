// The proxy of examples/deploy, by its very configuration, in front of a server by the example's settings.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { travellers } from '../clients/clients.mjs';
import { visit } from '../clients/visitor.mjs';
import { startNatter } from '../support/natter.mjs';
import { history, newcomer } from '../support/people.mjs';
import { example, path } from './examples.mjs';
import { freePort, startNginx } from './nginx.mjs';

const TRIES = 5;
const RECONNECTING = { reconnectionDelay: 100, reconnectionDelayMax: 200 };

describe('behind nginx', () => {
  let folder, endNginx, natter, natterPort, alice, bob;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'natter-test-'));
    const port = await freePort();
    natterPort = await freePort();
    natter = await startNatter('sqlite', {
      NATTER_CONFIG: path('examples/deploy/natter.toml'),
      PORT: natterPort,
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      NATTER_RATE_LIMITS: 'on',
      NATTER_ACCOUNTS__ATTEMPTS_PER_MINUTE: 1,
      NATTER_ACCOUNTS__ATTEMPTS_BURST: TRIES,
    });
    endNginx = await startNginx(folder, port, natterPort);
    [alice, bob] = [await newcomer(natter, 'alice'), await newcomer(natter, 'bob')];
  });

  after(async () => {
    await natter?.remove();
    await endNginx?.();
    await rm(folder, { recursive: true });
  });

  /** An answer to what somebody at another address of this machine asks. */
  const ask = (from, path, { body, ...options } = {}) => new Promise((resolve, reject) => {
    const asked = request(new URL(path, natter.url), { localAddress: from, agent: false, ...options }, async answer => {
      resolve({ status: answer.statusCode, headers: answer.headers, body: await text(answer) });
    });
    asked.on('error', reject).end(body);
  });

  const signInFrom = (from, { email, password }, headers = {}) => ask(from, 'api/auth/signin/', {
    method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify({ username: email, password }),
  });

  test('pages and the API answer, and name the address of the proxy', async () => {
    const page = await fetch(new URL('login/', natter.url));
    assert.equal(page.status, 200);
    assert.match(await page.text(), /csrfmiddlewaretoken/);
    const headers = { Authorization: `Token ${alice.token}`, 'Content-Type': 'application/json' };
    for (const message of ['one', 'two']) {
      const answer = await fetch(new URL('api/messages/', natter.url), { method: 'POST', headers, body: JSON.stringify({ message }) });
      assert.equal(answer.status, 201);
    }
    const { next } = await (await fetch(new URL('api/messages/?limit=1', natter.url), { headers })).json();
    assert.ok(next.startsWith(natter.url), next);
    const lines = (await history(natter, alice)).map(({ message }) => message);
    assert.deepEqual(lines.slice(-2), ['one', 'two'].map(text => `${alice.email}: ${text}`));
  });

  for (const traveller of travellers) {
    test(`${traveller.name} chats`, async t => {
      const [speaker, listener] = [visit(t, natter, traveller), visit(t, natter, traveller)];
      await Promise.all([speaker.authenticatesOnConnect(alice.token), listener.authenticatesOnConnect(bob.token)]);
      await Promise.all([speaker.hasSettled(), listener.hasSettled()]);
      const long = 'x'.repeat(16_000);
      await speaker.saysSafely('hello');
      await speaker.saysSafely(long);
      assert.deepEqual(await listener.hearsMessages(2), ['hello', long].map(text => `${alice.email}: ${text}`));
    });
  }

  for (const traveller of travellers.filter(({ version }) => ['2.5.0', '4.8'].includes(version))) {
    test(`${traveller.name} comes back after a restart of the server`, async t => {
      const visitor = visit(t, natter, traveller, RECONNECTING);
      await visitor.authenticatesOnConnect(bob.token);
      await visitor.hasSettled();
      await natter.stop();
      await visitor.hears('disconnect');
      assert.equal((await fetch(new URL('ready', natter.url))).status, 502);
      await natter.start();
      await visitor.hears('authenticated', 2);
      const seq = await visitor.saysSafely('back');
      assert.equal((await history(natter, bob)).at(-1).seq, seq);
    });
  }

  test('a body of 300 KB is refused, one that the server takes is not', async () => {
    const send = length => fetch(new URL('api/messages/', natter.url), {
      method: 'POST',
      headers: { Authorization: `Token ${alice.token}`, 'Content-Type': 'application/json' },
      // What is beside the message is ignored.
      body: JSON.stringify({ message: 'x', more: 'x'.repeat(length) }),
    });
    assert.equal((await send(300_000)).status, 413);
    assert.equal((await send(200_000)).status, 201);
  });

  test('who asks is known by their own address, whatever they say of it', async () => {
    const forged = { 'X-Forwarded-For': '203.0.113.9', Forwarded: 'for=203.0.113.9' };
    const { status, headers } = await signInFrom('127.0.0.2', alice, forged);
    assert.equal(status, 201);
    const devices = await ask('127.0.0.2', 'api/users/me/devices/', { headers: { Authorization: `Token ${headers['x-token']}` } });
    assert.equal(JSON.parse(devices.body).results.find(({ current }) => current).address, '127.0.0.2');
  });

  test('who tries too often holds nobody else back', async () => {
    const guess = () => signInFrom('127.0.0.3', { ...alice, password: 'guess' });
    const statuses = [];
    for (let attempt = 0; attempt <= TRIES; attempt++) statuses.push((await guess()).status);
    assert.deepEqual(statuses, [...Array(TRIES).fill(400), 429]);
    assert.equal((await signInFrom('127.0.0.4', alice)).status, 201);
  });

  test('its limits are the server’s', async () => {
    const [site, defaults] = [await example('nginx/natter.conf'), await readFile(path('server/config.default.toml'), 'utf8')];
    const setting = name => Number(new RegExp(`^${name} = (\\d+)$`, 'm').exec(defaults)[1]);
    const [root, socket] = ['/', '/socket.io/'].map(location => site.split(`location ${location} {`)[1].split('}')[0]);
    const value = (block, name) => Number(new RegExp(`${name} (\\d+)s?;`).exec(block)[1]);
    assert.equal(value(root, 'client_max_body_size'), setting('max_body_bytes'));
    assert.equal(value(socket, 'client_max_body_size'), setting('maxHttpBufferSize'));
    assert.ok(value(root, 'proxy_read_timeout') > setting('request_timeout_seconds'));
    for (const name of ['proxy_read_timeout', 'proxy_send_timeout']) {
      assert.ok(value(socket, name) * 1000 > setting('pingInterval') + setting('pingTimeout'), name);
    }
    assert.ok(value(site, 'keepalive_timeout') < setting('head_timeout_seconds'));
  });
});
