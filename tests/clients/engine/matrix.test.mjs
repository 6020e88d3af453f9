// Every client on every transport hears from the server of examples/conformance what it said to it.

import { after, before, test } from 'node:test';
import { startConformance } from '../../support/conformance.mjs';
import { conversations, Talker } from '../../support/conversations.mjs';
import { within } from '../../support/deadline.mjs';
import { everyTraveller } from '../clients.mjs';

const DEADLINE_MS = 10_000;

let server;
before(async () => { server = await startConformance(); });
after(() => server?.end());

for (const { name, transports, ...client } of everyTraveller) {
  for (const conversation of conversations) {
    test(`${name}: ${conversation.name}`, t => {
      const talker = new Talker(client, server.url, { transports });
      t.after(() => talker.leave());
      return within(DEADLINE_MS, conversation.name, talker.holds(conversation.name));
    });
  }
}
