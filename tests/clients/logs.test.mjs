// What people sign in with and say to each other is in no log, however much is logged.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { databases } from '../support/database.mjs';
import { startNatter } from '../support/natter.mjs';
import { signIn, signOut, signUp } from '../support/people.mjs';
import { travellers } from './clients.mjs';
import { visit } from './visitor.mjs';

const PASSWORD = 'planted-password-7f3a';
const WRONG = 'planted-wrong-password-7f3a';
const TEXT = 'planted-text-7f3a';
const TOKEN = 'planted-token-7f3a';
const COOKIE = 'planted-cookie-7f3a';
const CLIENTS = ['1.4.5 by polling', '2.5.0 by websocket', '4.8 by polling, then websocket', '4.8 by polling'];

for (const database of databases) {
  describe(`on ${database}`, () => {
    let folder, natter;
    const { NATTER_TEST_LOGS } = process.env;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'natter-logs-'));
      process.env.NATTER_TEST_LOGS = folder;
      natter = await startNatter(database, { RUST_LOG: 'trace' });
    });
    after(async () => {
      await natter?.remove();
      await rm(folder, { recursive: true });
      if (NATTER_TEST_LOGS) process.env.NATTER_TEST_LOGS = NATTER_TEST_LOGS;
      else delete process.env.NATTER_TEST_LOGS;
    });

    test('a log of everything holds no password, token, cookie or message', async t => {
      const secrets = [PASSWORD, WRONG, TEXT, TOKEN, COOKIE];
      const ann = { email: 'ann@example.org', password: PASSWORD };
      await signUp(natter, ann);
      ann.token = await signIn(natter, ann);
      secrets.push(ann.token);

      for (const name of CLIENTS) {
        const visitor = visit(t, natter, travellers.find(traveller => traveller.name.endsWith(` ${name}`)));
        await visitor.authenticatesOnConnect(ann.token);
        await visitor.saysSafely(`${TEXT} by ${name}`, { clientOffset: `${TEXT} ${name}` });
      }
      const stranger = visit(t, natter, travellers.at(-1));
      await stranger.hears('news');
      stranger.authenticates(TOKEN);
      await stranger.hears('unauthorized');

      const cookies = await browse(natter, ann);
      secrets.push(...cookies.map(cookie => cookie.split(/[=;]/)[1]).filter(value => value.length > 8));
      for (const ask of nonsense(natter, ann)) await (await ask).text();
      await signOut(natter, ann);
      await natter.stop();

      const log = (await Promise.all((await readdir(folder)).map(name => readFile(join(folder, name), 'utf8')))).join('');
      assert.match(log, /"level":"TRACE"/, 'everything is logged');
      assert.match(log, /"route":"\/api\/auth\/signin\/"/, 'what has happened is logged');
      for (const secret of secrets) {
        const line = log.split('\n').find(line => line.includes(secret));
        assert.equal(line, undefined, `${secret} is in the log`);
      }
      for (const line of log.trim().split('\n')) {
        assert.doesNotThrow(() => JSON.parse(line), `no line of JSON: ${line}`);
      }
    });
  });
}

/** Logs in as a browser, with wrong passwords first; returns the cookies it was given. */
async function browse(natter, { email }) {
  const login = new URL('login/', natter.url);
  const first = await fetch(login);
  const given = first.headers.getSetCookie();
  const csrf = given.map(cookie => /^csrftoken=([^;]+)/.exec(cookie)?.[1]).find(Boolean);
  for (const password of [WRONG, PASSWORD]) {
    const answer = await fetch(login, {
      method: 'POST',
      redirect: 'manual',
      headers: { Cookie: `csrftoken=${csrf}`, Origin: login.origin },
      body: new URLSearchParams({ csrfmiddlewaretoken: csrf, username: email, password }),
    });
    given.push(...answer.headers.getSetCookie());
  }
  const session = given.map(cookie => /^sessionid=[^;]+/.exec(cookie)?.[0]).find(Boolean);
  assert.ok(session, 'the login has worked');
  for (const path of ['', 'account/', 'account/devices/', 'api/auth/token/']) {
    const answer = await fetch(new URL(path, natter.url), { headers: { Cookie: `${session}; csrftoken=${csrf}` } });
    assert.equal(answer.status, 200);
  }
  return given;
}

/** Requests that fail in as many ways. */
function nonsense(natter, { token }) {
  const ask = (method, path, headers, body) => fetch(new URL(path, natter.url), { method, headers, body });
  const json = { 'Content-Type': 'application/json' };
  return [
    ask('GET', `api/users/me/?token=${TOKEN}`, { Authorization: `Token ${TOKEN}` }),
    ask('GET', `api/users/${TOKEN}/`, { Authorization: `Bearer ${TOKEN}` }),
    ask('GET', `${TEXT}/${TOKEN}/`, { Cookie: `sessionid=${COOKIE}; csrftoken=${COOKIE}` }),
    ask('GET', `password-reset/${TOKEN}/`),
    ask('POST', 'api/users/', json, `{"email":"${TEXT}","password":"${WRONG}"}`),
    ask('POST', 'api/users/', json, `{"email":"${TEXT}","password":"${WRONG}`),
    ask('POST', 'api/auth/signin/', json, JSON.stringify({ username: 'ann@example.org', password: WRONG })),
    ask('POST', 'api/messages/', { ...json, Authorization: `Token ${token}` }, JSON.stringify({ message: TEXT })),
    ask('POST', 'api/messages/', { ...json, Authorization: `Token ${token}` }, `{"message":"${TEXT}`),
    ask('POST', 'login/', { Cookie: `csrftoken=${COOKIE}` }, new URLSearchParams({ username: TEXT, password: WRONG })),
    ask('POST', `socket.io/?EIO=4&transport=polling&sid=${TOKEN}`, {}, `42["authentication",{"token":"${TOKEN}"}]`),
    ask('GET', `socket.io/?EIO=4&transport=${TEXT}&token=${TOKEN}`),
  ];
}
