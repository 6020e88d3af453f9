// Clients of the old stack, while people on the pages use all that is new.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { visit } from '../clients/visitor.mjs';
import { newcomer } from '../support/people.mjs';
import { openPage } from './browser.mjs';
import { goesTo, invites, opens } from './in_rooms.mjs';
import { messages, say, signUp } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();
const require = createRequire(import.meta.url);
const clients = ['1.4.5', '1.7.4', '2.5.0', '4.8'].map(version => {
  const client = require(`socket.io-client-${version}`);
  return { version, connect: client.io ?? client };
});

/** A client that does what the old README shows, and keeps the names of all events that it is sent. */
async function oldClient(t, client) {
  const person = await newcomer(stage.natter, `old-${client.version}`);
  const visitor = visit(t, stage.natter, { connect: client.connect, transports: ['polling', 'websocket'] });
  const { onevent } = visitor.socket;
  visitor.sent = [];
  visitor.socket.onevent = function note(packet) {
    visitor.sent.push(packet.data[0]);
    onevent.call(this, packet);
  };
  visitor.person = person;
  await visitor.authenticatesOnConnect(person.token);
  return visitor;
}

test('clients of 1.4.5, 1.7.4, 2.5.0 and 4.8 hear and say what they always did, while browsers use everything new', async t => {
  const olds = await Promise.all(clients.map(client => oldClient(t, client)));
  const [alice, bob] = [await openPage(t, stage.browser), await openPage(t, stage.browser)];
  const accounts = [stranger(), stranger()];
  await signUp(alice, stage.natter, accounts[0]);
  await signUp(bob, stage.natter, accounts[1]);
  const expected = [];
  const inEveryone = async (page, { email }, text) => {
    await say(page, text);
    expected.push(`${email}: ${text}`);
    for (const old of olds) assert.deepEqual(await old.hearsMessages(expected.length), expected);
  };

  await inEveryone(alice, accounts[0], 'good morning');
  for (const [index, old] of olds.entries()) {
    old.says(`from ${clients[index].version}`);
    expected.push(`${old.person.email}: from ${clients[index].version}`);
    for (const other of olds) assert.deepEqual(await other.hearsMessages(expected.length), expected);
  }
  await messages(bob).nth(expected.length - 1).waitFor();
  assert.deepEqual(await messages(bob).allTextContents(), expected.map(said => said.slice(said.indexOf(': ') + 2)));

  // Edited, deleted, said in other rooms, written and read by others: all that is for those who ask for it.
  await alice.locator('#m').press('ArrowUp');
  await alice.locator('#m').fill('good evening');
  await alice.locator('#m').press('Enter');
  await messages(bob).getByText('good evening').waitFor();
  const room = await opens(alice, 'Room, by invitation');
  await invites(alice, accounts[1]);
  await say(alice, 'among us');
  await goesTo(bob, room);
  await messages(bob).getByText('among us').waitFor();
  await bob.locator('#people').getByRole('button', { name: olds[0].person.email }).click();
  await bob.getByRole('heading', { name: olds[0].person.email }).waitFor();
  await say(bob, 'a word with one of them');
  await bob.locator('#m').pressSequentially('hm');
  await goesTo(bob, 'Everyone');
  await inEveryone(bob, accounts[1], 'regretted');
  await messages(bob).last().hover();
  await bob.locator('#messages > li').last().getByRole('button', { name: 'Delete' }).click();
  await bob.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await bob.getByText('This message was deleted.').waitFor();
  await goesTo(alice, 'Everyone');
  await inEveryone(alice, accounts[0], 'good night');

  for (const old of olds) {
    assert.deepEqual(old.sent, ['news', 'authenticated', ...expected.map(() => 'server-got-message')]);
    assert.ok(old.socket.connected);
  }
});
