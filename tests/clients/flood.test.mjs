// One sender as fast as it can, fifty listeners of all clients and transports.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { deferred, within } from '../support/deadline.mjs';
import { byWebsocket, clients } from './clients.mjs';
import { assertSameList } from './long_lists.mjs';
import { onEachDatabase } from './stage.mjs';
import { visit } from './visitor.mjs';

const MESSAGES = 10_000;
/** So many missed messages the server sends again, by default. */
const REPLAYED = 10_000;
const LISTENERS_OF_EACH_VERSION = 10;
const DEADLINE_MS = 120_000;

onEachDatabase(stage => {
  test(`fifty listeners hear ${MESSAGES} messages of one fast sender all, in order and once`, async t => {
    const groups = clients.map(({ version }) => listeners(t, stage, version));
    await within(DEADLINE_MS, 'all listeners are there', Promise.all(groups.map(group => group.ready)));

    const sender = visit(t, stage.natter, byWebsocket.at(-1));
    await sender.authenticatesOnConnect(stage.alice.token);
    const numbers = await within(DEADLINE_MS, 'every message is acknowledged', saysAll(sender));
    assertSameList(numbers, numbers.map((_, n) => numbers[0] + n), 'the numbers in the order of sending');

    sender.says('the end');
    const heard = await within(DEADLINE_MS, 'every listener heard all', Promise.all(groups.map(group => group.heard)));
    assert.equal(heard.flat().length, clients.length * LISTENERS_OF_EACH_VERSION);
    const expected = numbers.map((seq, n) => `${seq} ${stage.alice.email}: ${n}`);
    for (const { name, log } of heard.flat()) assertSameList(log, expected, name);
  });

  test('who missed more than is sent again is told of the gap first', async t => {
    const client = byWebsocket[0];
    const alice = visit(t, stage.natter, client);
    await alice.authenticatesOnConnect(stage.alice.token);
    const last = await alice.saysSafely('one more than that');
    const next = last - REPLAYED + 1;
    assert.ok(next > 1, 'there is more than that');

    const bob = visit(t, stage.natter, client);
    await bob.hears('news');
    bob.authenticates(stage.bob.token, { serverOffset: 0 });
    await bob.hears('server-got-message', REPLAYED, DEADLINE_MS);
    const [{ conversation }] = bob.heard('server-got-message');
    assert.deepEqual(bob.heard('history-gap'), [{ conversation, after: 0, next }]);
    assert.ok(bob.events.indexOf('history-gap') < bob.events.indexOf('server-got-message'));
    assertSameList(bob.heard('server-got-message').map(({ seq }) => seq), Array.from({ length: REPLAYED }, (_, n) => next + n), 'what is sent again');
  });
});

/** The numbers that the acknowledgements gave the messages. */
function saysAll(sender) {
  return Promise.all(Array.from({ length: MESSAGES }, (_, n) => {
    const answer = deferred();
    sender.socket.emit('client-sent-message', { message: `${n}` }, answer.resolve);
    return answer.promise.then(({ ok, seq, error }) => ok ? seq : assert.fail(`message ${n}: ${JSON.stringify(error)}`));
  }));
}

/** Listeners in a thread of their own: when they are `ready`, and what they `heard` in the end. */
function listeners(t, { natter, bob }, version) {
  const worker = new Worker(new URL('listeners.mjs', import.meta.url), {
    workerData: { url: natter.url, token: bob.token, version, count: LISTENERS_OF_EACH_VERSION },
  });
  t.after(() => worker.terminate());
  const failure = once(worker, 'error').then(([error]) => { throw error; });
  const says = what => Promise.race([failure, new Promise(resolve => worker.on('message', message => what in message && resolve(message[what])))]);
  return { ready: says('ready'), heard: says('heard') };
}
