// The walk through the old README, with its client code, by every client on every transport.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signIn, signUp } from '../support/people.mjs';
import { travellers } from './clients.mjs';
import { onEachDatabase } from './stage.mjs';
import { visit } from './visitor.mjs';

onEachDatabase(stage => {
  travellers.forEach((traveller, index) => {
    test(`${traveller.name} walks through the old README`, async t => {
      const { natter, bob } = stage;
      const carol = { email: `carol${index}@example.org`, password: 'qwerty' };
      await signUp(natter, carol);
      const token = await signIn(natter, carol);
      assert.match(token, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);

      const [speaker, otherTab, listener] = [0, 1, 2].map(() => visit(t, natter, traveller));
      await Promise.all([speaker.authenticatesOnConnect(token), otherTab.authenticatesOnConnect(token), listener.authenticatesOnConnect(bob.token)]);
      // Comes last, so that its second of grace is not over before the message is out.
      const eavesdropper = visit(t, natter, traveller);
      await eavesdropper.hears('news');

      speaker.says('hello');
      for (const hearer of [speaker, otherTab, listener]) {
        const { message, seq, conversation, author, time } = await hearer.hears('server-got-message');
        assert.equal(message, `${carol.email}: hello`);
        for (const more of [seq, conversation, author, time]) assert.notEqual(more, undefined);
        assert.deepEqual(hearer.events, ['connect', 'news', 'authenticated', 'server-got-message']);
        assert.deepEqual(hearer.heard('authenticated'), [true]);
        assert.match(hearer.heard('news')[0].message, /^Hello, at /);
        await hearer.hasSettled();
      }
      assert.ok(eavesdropper.socket.connected);
      await eavesdropper.hears('disconnect');
      assert.deepEqual(eavesdropper.events, ['connect', 'news', 'disconnect']);
    });
  });
});
