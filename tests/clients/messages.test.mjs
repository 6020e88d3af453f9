// What is said is heard as it was said, numbered, and heard again by those who missed it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { history } from '../support/people.mjs';
import { travellers } from './clients.mjs';
import { onEachDatabase } from './stage.mjs';
import { visit } from './visitor.mjs';

/** Texts that something on the way could be tempted to change. */
const words = [
  'hello', '<b>bold</b> & "quoted"', ' blanks  around ', '', 'back\\slash', 'line\nbreak',
  'é', '😀', 'e\u0301', '漢字', '\u2028',
];

onEachDatabase(stage => {
  for (const traveller of travellers) {
    describe(traveller.name, () => {
      /** Alice and Bob by this traveller's client, both authenticated. */
      const aliceAndBob = async t => {
        const pair = [visit(t, stage.natter, traveller), visit(t, stage.natter, traveller)];
        await Promise.all([pair[0].authenticatesOnConnect(stage.alice.token), pair[1].authenticatesOnConnect(stage.bob.token)]);
        return pair;
      };

      test('a hundred messages in a row arrive all, in order and unchanged', async t => {
        const [alice, bob] = await aliceAndBob(t);
        const said = Array.from({ length: 100 }, (_, n) => `${n} ${words[n % words.length]}`);
        said.forEach(text => alice.says(text));
        const heard = said.map(text => `${stage.alice.email}: ${text}`);
        assert.deepEqual(await bob.hearsMessages(100), heard);
        assert.deepEqual(await alice.hearsMessages(100), heard);
      });

      test('an acknowledgement carries the number that everyone heard', async t => {
        const [alice, bob] = await aliceAndBob(t);
        const numbers = [await alice.saysSafely('one'), await alice.saysSafely('two')];
        assert.equal(numbers[1], numbers[0] + 1);
        for (const visitor of [alice, bob]) {
          await visitor.hearsMessages(2);
          assert.deepEqual(visitor.heard('server-got-message').map(({ seq }) => seq), numbers);
        }
      });

      test('saying it again with the same clientOffset is harmless', async t => {
        const [alice, bob] = await aliceAndBob(t);
        const clientOffset = randomUUID();
        const first = await alice.saysSafely('once', { clientOffset });
        assert.equal(await alice.saysSafely('once', { clientOffset }), first);
        const last = await alice.saysSafely('the end');
        assert.equal(last, first + 1);
        assert.deepEqual(await bob.hearsMessages(2), [`${stage.alice.email}: once`, `${stage.alice.email}: the end`]);
      });

      test('who comes back with a serverOffset hears exactly what was missed, in order', async t => {
        const [alice, bob] = await aliceAndBob(t);
        const seen = await alice.saysSafely('before');
        await bob.hearsMessages(1);
        bob.leave();
        const missed = [];
        for (const text of ['one', 'two', 'three']) missed.push(await alice.saysSafely(text));

        const back = visit(t, stage.natter, traveller);
        await back.hears('news');
        back.authenticates(stage.bob.token, { serverOffset: seen });
        // Said while the replay may still be under way.
        const newer = await alice.saysSafely('newer');
        await Promise.all([back.hearsMessages(4), alice.hearsMessages(5)]);
        assert.deepEqual(back.heard('server-got-message').map(({ seq }) => seq), [...missed, newer]);
        const heard = back.heard('server-got-message');
        assert.deepEqual(heard, alice.heard('server-got-message').filter(({ seq }) => seq > seen));
        assert.deepEqual(heard.map(({ seq }) => seq), (await history(stage.natter, stage.bob, seen)).map(({ seq }) => seq));
        assert.deepEqual(back.heard('history-gap'), []);
      });

      if (traveller.modern) {
        test('a serverOffset in the handshake replays too', async t => {
          const [alice] = await aliceAndBob(t);
          const seen = await alice.saysSafely('before');
          const missed = await alice.saysSafely('missed');
          const back = visit(t, stage.natter, traveller, { auth: { token: stage.bob.token, serverOffset: seen } });
          await back.hearsMessages(1);
          const newer = await alice.saysSafely('newer');
          await back.hearsMessages(2);
          assert.deepEqual(back.heard('server-got-message').map(({ seq }) => seq), [missed, newer]);
        });
      }

      if (traveller.way === 'websocket') {
        test('the longest message arrives whole', async t => {
          const [alice, bob] = await aliceAndBob(t);
          const long = 'é'.repeat(8_192);
          alice.says(long);
          const [heard] = await bob.hearsMessages(1);
          assert.ok(heard === `${stage.alice.email}: ${long}`, `${heard.length} characters arrived`);
        });
      }
    });
  }
});
