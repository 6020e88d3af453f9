// A machine that runs out of things, and starts that are cut off.

import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { within } from '../support/deadline.mjs';
import { databases } from '../support/database.mjs';
import { prepareNatter, startNatter } from '../support/natter.mjs';
import { history, newcomer, post } from '../support/people.mjs';
import { byWebsocket } from './clients.mjs';
import { visit } from './visitor.mjs';

const DEADLINE_MS = 20_000;
/** What the server promises, once it has again what it needs. */
const RECOVERY_MS = 5_000;
const FILES = 100;
const DISK = '8m';
const BALLAST_BYTES = 4_000_000;
const CUT_STARTS = 12;
const CUT_STEP_MS = 3;

/** A server that is ended when the test `t` is. */
async function start(t, ...how) {
  const natter = await startNatter(...how);
  t.after(() => natter.remove());
  return natter;
}

/** Somebody who has a socket, and what became of what they say. */
async function chatter(t, natter) {
  const person = await newcomer(natter, 'ann');
  const visitor = visit(t, natter, byWebsocket.at(-1));
  await visitor.authenticatesOnConnect(person.token);
  const say = (message, clientOffset) => within(DEADLINE_MS, `an answer to ${clientOffset}`, new Promise(resolve => {
    visitor.socket.emit('client-sent-message', { message, clientOffset }, resolve);
  }));
  return { person, visitor, say };
}

async function status(natter, path) {
  return (await fetch(new URL(path, natter.url))).status;
}

test('on a full disk senders are told, reading goes on, and all recovers once there is room', async t => {
  const natter = await start(t, 'sqlite', {}, folder => [
    'unshare', '--mount', '--map-root-user', 'sh', '-c',
    `mount -t tmpfs -o size=${DISK} tmpfs '${folder}' && exec "$@"`, 'sh',
  ]);
  const { person, visitor, say } = await chatter(t, natter);
  // As the server sees it, which is alone to do so.
  const ballast = join('/proc', `${natter.pid}`, 'root', natter.folder, 'ballast');
  await writeFile(ballast, Buffer.alloc(BALLAST_BYTES));

  const text = 'x'.repeat(15_000);
  const stored = [];
  let answer;
  for (let n = 0; (answer = await say(text, `${n}`)).ok; n++) stored.push(answer.seq);
  assert.ok(stored.length > 20, `${stored.length} messages had room`);
  assert.equal(answer.error.code, 'unavailable');
  // Something small may still find room in SQLite's own files.
  const small = await post(natter, 'api/users/', { email: 'bob@example.org', password: 'qwerty' });
  assert.ok([201, 503].includes(small.status), `${small.status}`);
  assert.equal((await history(natter, person)).length, stored.length, 'what is there can be read');

  await rm(ballast);
  await within(RECOVERY_MS, 'room is made use of', (async () => {
    while (!(answer = await say(text, 'again')).ok) await pause(50);
  })());
  assert.deepEqual((await history(natter, person)).map(({ seq }) => seq), [...stored, answer.seq]);
  await visitor.hears('server-got-message', stored.length + 1);
  assert.equal(visitor.heard('disconnect').length, 0);
});

test('it takes as many open files as it may have', async t => {
  const natter = await start(t, 'sqlite', {}, () => ['sh', '-c', `ulimit -Sn ${FILES} && ulimit -Hn ${2 * FILES} && exec "$@"`, 'sh']);
  const limits = await readFile(`/proc/${natter.pid}/limits`, 'utf8');
  assert.match(limits, new RegExp(`Max open files +${2 * FILES} +${2 * FILES} `));
});

for (const database of databases) {
  test(`without a file descriptor left, who is there chats on, and others come in later (${database})`, async t => {
    const natter = await start(t, database, {}, () => ['sh', '-c', `ulimit -n ${FILES} && exec "$@"`, 'sh']);
    const { visitor, say } = await chatter(t, natter);
    assert.equal((await say('before', 'before')).ok, true);
    const crowd = Array.from({ length: 2 * FILES }, () => connect(new URL(natter.url).port, '127.0.0.1').on('error', () => {}));
    t.after(() => crowd.forEach(socket => socket.destroy()));
    await within(DEADLINE_MS, 'it runs out of descriptors', (async () => {
      while (!natter.log.includes('could not be accepted')) await natter.nextLine();
    })());
    assert.equal((await say('meanwhile', 'meanwhile')).ok, true);
    for (const socket of crowd) socket.destroy();
    await within(RECOVERY_MS, 'others come in again', (async () => { while (await status(natter, 'ready') !== 200);})());
    assert.equal((await say('after', 'after')).ok, true);
    await visitor.hears('server-got-message', 3);
    assert.equal(visitor.heard('disconnect').length, 0);
  });

  test(`a first start that is cut off at any moment leaves nothing that the next one stumbles over (${database})`, async t => {
    for (let turn = 0; turn < CUT_STARTS; turn++) {
      const natter = await prepareNatter(database);
      try {
        // The last ones may be through by then.
        const cut = natter.start().catch(() => {});
        await pause(turn * CUT_STEP_MS);
        await natter.kill();
        await cut;
        await natter.start();
        const { say } = await chatter(t, natter);
        assert.equal((await say('there', 'there')).seq, 1);
      } finally {
        await natter.remove();
      }
    }
  });
}
