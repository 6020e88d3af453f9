// A machine whose clock is set while the server runs.

import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { databases } from '../support/database.mjs';
import { startNatter } from '../support/natter.mjs';
import { history, newcomer, signIn } from '../support/people.mjs';
import { byWebsocket } from './clients.mjs';
import { visit } from './visitor.mjs';

const TOLERANCE_MS = 20_000;
/** Against the true time, in the order in which the clock is set. */
const JUMPS = ['+2h', '-3h', '+40d', '+0'];

/** The command line of a program that takes the time from libfaketime, and how to set it. */
function clock() {
  let file;
  const wrap = folder => {
    file = join(folder, 'clock');
    return [
      'env', `LD_PRELOAD=${process.env.NATTER_TEST_FAKETIME}`, `FAKETIME_TIMESTAMP_FILE=${file}`, 'FAKETIME_NO_CACHE=1',
      // Nobody sets that one.
      'FAKETIME_DONT_FAKE_MONOTONIC=1',
    ];
  };
  // In one go, as it is read all the time.
  const set = async offset => {
    await writeFile(`${file}.new`, offset);
    await rename(`${file}.new`, file);
  };
  return { wrap, set };
}

for (const database of databases) {
  test(`whoever chats does not notice that the clock is set (${database})`, async t => {
    const { wrap, set } = clock();
    const natter = await startNatter(database, {}, wrap);
    t.after(() => natter.remove());
    const [ann, bob] = [await newcomer(natter, 'ann'), await newcomer(natter, 'bob')];
    const enter = async ({ token }) => {
      const visitor = visit(t, natter, byWebsocket.at(-1));
      await visitor.authenticatesOnConnect(token);
      return visitor;
    };
    const [speaker, listener] = [await enter(ann), await enter(bob)];

    for (const [index, offset] of JUMPS.entries()) {
      await set(offset);
      for (const word of ['first', 'second', 'first']) {
        const message = `${word} at ${offset}`;
        const seq = await speaker.saysSafely(message, { clientOffset: message });
        assert.equal(seq, 2 * index + (word === 'first' ? 1 : 2));
      }
      const [latest] = (await history(natter, ann)).slice(-1);
      const skew = new Date(latest.time) - Date.now();
      assert.ok(Math.abs(skew - milliseconds(offset)) < TOLERANCE_MS, `the clock is ${skew} ms off`);

      await signIn(natter, bob);
      assert.equal((await fetch(new URL('ready', natter.url))).status, 200);
      // A token from before, at a time that may be before that of its making.
      const visitor = await enter(bob);
      visitor.socket.disconnect();
    }
    for (const visitor of [speaker, listener]) assert.equal(visitor.heard('disconnect').length, 0);
    const expected = JUMPS.flatMap(offset => ['first', 'second'].map(word => `${ann.email}: ${word} at ${offset}`));
    assert.deepEqual(await listener.hearsMessages(2 * JUMPS.length), expected);
  });
}

function milliseconds(offset) {
  const [, number, unit] = /^([+-]\d+)([hd]?)$/.exec(offset);
  return Number(number) * { '': 1_000, h: 3_600_000, d: 86_400_000 }[unit];
}
