// Rooms, people, and messages that change, with two people at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as rest from '../support/people.mjs';
import { openPage } from './browser.mjs';
import { goesTo, invites, isIn, opens, roomLink } from './in_rooms.mjs';
import { isConnected, isSent, messages, reads, say, signIn, signUp } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();

/** The page tells a little later what was read. */
const READ_PAUSE = 2_500;

async function people(t, count) {
  const all = [];
  for (let number = 0; number < count; number++) {
    const page = await openPage(t, stage.browser);
    const account = stranger();
    await signUp(page, stage.natter, account);
    all.push({ page, email: account.email });
  }
  return all;
}

test('an open room is found and joined by others', async t => {
  const [alice, bob] = await people(t, 2);
  const name = await opens(alice.page, 'Room, open to all');
  await say(alice.page, 'in the room');
  await goesTo(bob.page, name);
  await reads(bob.page, ['in the room']);
  await bob.page.getByRole('button', { name: 'Join' }).click();
  await say(bob.page, 'here I am');
  for (const { page } of [alice, bob]) await reads(page, ['in the room', 'here I am']);
  await goesTo(bob.page, 'Everyone');
  assert.equal(await messages(bob.page).getByText('here I am').count(), 0);
});

test('a room by invitation appears to the guest at once, with what is unread', async t => {
  const [alice, bob, eve] = await people(t, 3);
  const name = await opens(alice.page, 'Room, by invitation');
  await invites(alice.page, bob);
  await roomLink(bob.page, name).waitFor();
  await say(alice.page, 'one');
  await say(alice.page, 'two');
  await roomLink(bob.page, name).getByLabel('2 unread').waitFor();
  await bob.page.reload();
  await roomLink(bob.page, name).getByLabel('2 unread').click();
  await reads(bob.page, ['one', 'two']);
  await bob.page.locator('.unread').waitFor();
  await roomLink(bob.page, name).getByLabel('2 unread').waitFor({ state: 'detached' });
  assert.equal(await roomLink(eve.page, name).count(), 0);

  await bob.page.getByRole('button', { name: 'Members' }).click();
  await bob.page.getByRole('button', { name: 'Leave this room' }).click();
  await isIn(bob.page, 'Everyone');
  await roomLink(bob.page, name).waitFor({ state: 'detached' });
});

test('what is unread among everyone stays so over reloads, for newcomers too', async t => {
  const [alice, bob] = await people(t, 2);
  await opens(alice.page, 'Room, by invitation');
  await alice.page.waitForTimeout(READ_PAUSE);
  await say(bob.page, 'to all');
  await roomLink(alice.page, 'Everyone').getByLabel('1 unread').waitFor();
  await alice.page.reload();
  await roomLink(alice.page, 'Everyone').getByLabel('1 unread').waitFor();
  await opens(alice.page, 'Room, open to all');
  await roomLink(alice.page, 'Everyone').getByLabel('1 unread').waitFor();
});

test('two people talk alone', async t => {
  const [alice, bob, eve] = await people(t, 3);
  await alice.page.locator('#people').getByRole('button', { name: bob.email }).click();
  await isIn(alice.page, bob.email);
  await say(alice.page, 'psst');
  await goesTo(bob.page, alice.email);
  await reads(bob.page, ['psst']);
  await say(bob.page, 'yes?');
  await reads(alice.page, ['psst', 'yes?']);
  assert.equal(await roomLink(eve.page, alice.email).count(), 0);
});

test('one edits and deletes what one has said, and others see it', async t => {
  const [alice, bob] = await people(t, 2);
  const name = await opens(alice.page, 'Room, open to all');
  await goesTo(bob.page, name);
  await bob.page.getByRole('button', { name: 'Join' }).click();
  await say(alice.page, 'helo');
  await say(alice.page, 'regretted');
  await reads(bob.page, ['helo', 'regretted']);

  const own = alice.page.locator('#messages > li');
  await own.first().hover();
  await own.first().getByRole('button', { name: 'Edit' }).click();
  await alice.page.locator('#m').fill('hello');
  await alice.page.locator('#m').press('Enter');
  await own.last().hover();
  await own.last().getByRole('button', { name: 'Delete' }).click();
  await alice.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  for (const { page } of [alice, bob]) {
    await page.getByText('This message was deleted.').waitFor();
    await reads(page, ['hello', 'This message was deleted.']);
    await page.locator('#messages .edited').first().waitFor();
  }
  // ↑ edits the last of one's own that is still there, and Escape leaves it as it was.
  await alice.page.locator('#m').press('ArrowUp');
  assert.equal(await alice.page.locator('#m').inputValue(), 'hello');
  await alice.page.locator('#m').fill('goodbye');
  await alice.page.locator('#m').press('Escape');
  assert.equal(await alice.page.locator('#m').inputValue(), '');
  for (const { page } of [alice, bob]) {
    await page.reload();
    await reads(page, ['hello', 'This message was deleted.']);
    assert.equal(await page.locator('#messages').getByRole('button', { name: 'Edit', includeHidden: false }).count(), page === alice.page ? 1 : 0);
  }
});

test('a change that was missed is seen after the connection is back', async t => {
  const [alice, bob] = await people(t, 2);
  const name = await opens(alice.page, 'Room, open to all');
  await goesTo(bob.page, name);
  await bob.page.getByRole('button', { name: 'Join' }).click();
  await say(alice.page, 'before');
  await reads(bob.page, ['before']);
  await bob.page.context().setOffline(true);
  await stage.natter.kill();
  await alice.page.locator('#banner').getByText('The connection is lost.').waitFor();
  await stage.natter.start();
  await isConnected(alice.page);
  await alice.page.locator('#m').press('ArrowUp');
  await alice.page.locator('#m').fill('after');
  await alice.page.locator('#m').press('Enter');
  await say(alice.page, 'news');
  await reads(alice.page, ['after', 'news']);
  await bob.page.context().setOffline(false);
  await reads(bob.page, ['after', 'news']);
});

test('what is changed without a connection stays in the field until it can be', async t => {
  const [alice] = await people(t, 1);
  await opens(alice.page, 'Room, by invitation');
  await say(alice.page, 'before');
  await isSent(alice.page);
  await stage.natter.kill();
  await alice.page.locator('#banner').getByText('The connection is lost.').waitFor();
  await alice.page.locator('#m').press('ArrowUp');
  await alice.page.locator('#m').fill('after');
  await alice.page.locator('#m').press('Enter');
  await alice.page.locator('#banner').getByText('The message was not changed.').waitFor();
  assert.equal(await alice.page.locator('#m').inputValue(), 'after');
  await stage.natter.start();
  await isConnected(alice.page);
  await alice.page.locator('#m').press('Enter');
  await reads(alice.page, ['after']);
  await alice.page.locator('#banner').waitFor({ state: 'hidden' });
});

test('what was written for a room that one was taken out of meanwhile is given back', async t => {
  const [alice, bob] = await people(t, 2);
  const name = await opens(alice.page, 'Room, by invitation');
  await invites(alice.page, bob);
  await goesTo(bob.page, name);
  await bob.page.context().setOffline(true);
  await stage.natter.kill();
  await stage.natter.start();
  await say(bob.page, 'too late');
  const token = await rest.signIn(stage.natter, { email: alice.email, password: 'qwerty' });
  await isConnected(alice.page);
  await rest.takeOut(stage.natter, token, Number(new URL(alice.page.url()).hash.slice(1)), bob.email);
  await bob.page.context().setOffline(false);
  await bob.page.getByText('You are not in that room any more. This was not sent: too late').waitFor();
  await isIn(bob.page, 'Everyone');
  await bob.page.getByRole('button', { name: 'Dismiss' }).click();
  await bob.page.reload();
  await isConnected(bob.page);
  assert.equal(await bob.page.locator('#banner').isVisible(), false);
});

test('a page that somebody else has logged in beside becomes theirs, and sends nothing in their name', async t => {
  const [alice] = await people(t, 1);
  const bob = stranger();
  await rest.signUp(stage.natter, bob);
  await opens(alice.page, 'Room, by invitation');
  await say(alice.page, 'for my eyes only');
  await isSent(alice.page);
  const beside = await alice.page.context().newPage();
  await beside.goto(new URL('login/', stage.natter.url).href);
  await signIn(beside, bob);
  await isConnected(beside);
  await alice.page.waitForFunction(email => document.body.dataset.email === email, bob.email);
  await isConnected(alice.page);
  await isIn(alice.page, 'Everyone');
  assert.equal(await alice.page.getByText('for my eyes only').count(), 0);
});

test('what is said while the server stops is sent once it is back', async t => {
  const [alice] = await people(t, 1);
  await opens(alice.page, 'Room, by invitation');
  const said = [];
  const stopping = stage.natter.stop();
  for (let number = 0; number < 20; number++) {
    said.push(`number ${number}`);
    await say(alice.page, said.at(-1));
  }
  await stopping;
  await stage.natter.start();
  await isConnected(alice.page);
  await isSent(alice.page);
  assert.deepEqual((await messages(alice.page).allTextContents()).sort(), said.sort());
});

test('others see who is here and who writes', async t => {
  const [alice, bob] = await people(t, 2);
  await alice.page.locator('#people').getByText(bob.email).waitFor();
  await bob.page.locator('#m').pressSequentially('hm');
  await alice.page.locator('#typing').getByText(`${bob.email} is writing…`).waitFor();
  await bob.page.locator('#m').press('Enter');
  await alice.page.locator('#typing').getByText('is writing').waitFor({ state: 'detached' });
  const second = await bob.page.context().newPage();
  await second.goto(stage.natter.url);
  await isConnected(second);
  await bob.page.close();
  await second.close();
  await alice.page.locator('#people').getByText(bob.email).waitFor({ state: 'detached' });
});

test('what is written and what is not sent yet outlives the page', async t => {
  const [alice] = await people(t, 1);
  const name = await opens(alice.page, 'Room, by invitation');
  await alice.page.locator('#m').fill('a draft');
  await goesTo(alice.page, 'Everyone');
  assert.equal(await alice.page.locator('#m').inputValue(), '');
  await goesTo(alice.page, name);
  assert.equal(await alice.page.locator('#m').inputValue(), 'a draft');
  await alice.page.reload();
  await isIn(alice.page, name);
  assert.equal(await alice.page.locator('#m').inputValue(), 'a draft');

  // The page is there, and its socket cannot be.
  await alice.page.route('**/socket.io/**', route => route.abort());
  await alice.page.reload();
  await isIn(alice.page, name);
  await alice.page.locator('#m').press('Enter');
  await alice.page.getByText('Waiting for the connection…').waitFor();
  await alice.page.unroute('**/socket.io/**');
  await alice.page.reload();
  await isConnected(alice.page);
  await isSent(alice.page);
  await reads(alice.page, ['a draft']);
  await alice.page.reload();
  await reads(alice.page, ['a draft']);
});

test('the keyboard goes from room to room', async t => {
  const [alice] = await people(t, 1);
  const names = [await opens(alice.page, 'Room, open to all'), await opens(alice.page, 'Room, open to all')];
  await alice.page.keyboard.press('Control+k');
  await alice.page.keyboard.type('everyone');
  await alice.page.keyboard.press('Enter');
  await isIn(alice.page, 'Everyone');
  await alice.page.keyboard.press('Control+k');
  await alice.page.keyboard.type(names[0]);
  await alice.page.keyboard.press('Enter');
  await isIn(alice.page, names[0]);
  await alice.page.keyboard.type('typed at once');
  await alice.page.keyboard.press('Enter');
  await reads(alice.page, ['typed at once']);
  await alice.page.keyboard.press('Control+k');
  await alice.page.keyboard.press('Escape');
  await isIn(alice.page, names[0]);
});
