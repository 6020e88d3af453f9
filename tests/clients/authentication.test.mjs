// Who is let in and who is not, by every client on every transport.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newcomer, signIn, signOut } from '../support/people.mjs';
import { byWebsocket, travellers } from './clients.mjs';
import { onEachDatabase } from './stage.mjs';
import { visit } from './visitor.mjs';

onEachDatabase(stage => {
  for (const traveller of travellers) {
    describe(traveller.name, { concurrency: true }, () => {
      test('a bad token is refused, and a good one is still accepted after it', async t => {
        const visitor = visit(t, stage.natter, traveller);
        await visitor.hears('news');
        visitor.authenticates('no such token');
        assert.deepEqual(await visitor.hears('unauthorized'), { message: 'Token not found.' });
        visitor.authenticates(stage.alice.token);
        assert.equal(await visitor.hears('authenticated'), true);
        assert.deepEqual(visitor.events.slice(0, 4), ['connect', 'news', 'unauthorized', 'authenticated']);
      });

      test('acknowledging the refusal disconnects at once', async t => {
        const visitor = visit(t, stage.natter, traveller);
        await visitor.hears('news');
        visitor.authenticates('no such token');
        await visitor.hears('unauthorized');
        const acknowledged = performance.now();
        visitor.acknowledge();
        assert.equal(await visitor.hears('disconnect'), 'io server disconnect');
        assert.ok(performance.now() - acknowledged < 500, 'sooner than the deadline to authenticate would');
      });

      test('who does not authenticate is disconnected after a second and does not come back by itself', async t => {
        const before = performance.now();
        const visitor = visit(t, stage.natter, traveller, { reconnectionDelay: 1, randomizationFactor: 0 });
        assert.equal(await visitor.hears('disconnect'), 'io server disconnect');
        const seconds = (performance.now() - before) / 1000;
        assert.ok(seconds >= 1, `after ${seconds} s`);
        // Another visitor's arrival takes much longer than the millisecond after which an attempt would be made.
        await visit(t, stage.natter, traveller).hears('news');
        assert.equal(visitor.reconnectAttempts, 0);
        assert.deepEqual(visitor.events, ['connect', 'news', 'disconnect']);
      });

      test('signing out disconnects that token’s sockets within a second and no other', async t => {
        const carol = await newcomer(stage.natter, 'carol');
        const elsewhere = { ...carol, token: await signIn(stage.natter, carol) };
        const [here, there] = [carol, elsewhere].map(() => visit(t, stage.natter, traveller));
        await Promise.all([here.authenticatesOnConnect(carol.token), there.authenticatesOnConnect(elsewhere.token)]);
        await signOut(stage.natter, carol);
        const signedOut = performance.now();
        assert.equal(await here.hears('disconnect'), 'io server disconnect');
        assert.ok(performance.now() - signedOut < 1000);
        await there.saysSafely('still here');
      });

      if (traveller.modern) {
        test('a token in the handshake authenticates without an event', async t => {
          const visitor = visit(t, stage.natter, traveller, { auth: { token: stage.alice.token } });
          assert.equal(await visitor.hears('authenticated'), true);
          assert.deepEqual(visitor.heard('unauthorized'), []);
          await visitor.saysSafely('hello');
        });

        test('a bad token in the handshake is refused, and a good one is still accepted after it', async t => {
          const visitor = visit(t, stage.natter, traveller, { auth: { token: 'no such token' } });
          assert.deepEqual(await visitor.hears('unauthorized'), { message: 'Token not found.' });
          visitor.authenticates(stage.alice.token);
          assert.equal(await visitor.hears('authenticated'), true);
        });
      }
    });
  }

  test('what is said before authentication is heard by nobody', async t => {
    const [eager, listener] = [byWebsocket[0], byWebsocket[0]].map(client => visit(t, stage.natter, client));
    await listener.authenticatesOnConnect(stage.alice.token);
    await eager.hears('news');
    eager.says('too early');
    eager.authenticates(stage.bob.token);
    await eager.hears('authenticated');
    await eager.saysSafely('in time');
    assert.deepEqual(await listener.hearsMessages(1), [`${stage.bob.email}: in time`]);
  });
});
