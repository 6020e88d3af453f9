// What people see of each other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './browser.mjs';
import { isConnected, messages, reads, say, signUp } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();

/** Everything said so far, by everyone: the tests share one chat. */
const said = [];

async function saysIt(page, text) {
  await say(page, text);
  said.push(text);
}

async function aliceAndBob(t) {
  const pages = await Promise.all([openPage(t, stage.browser), openPage(t, stage.browser)]);
  await Promise.all(pages.map(page => signUp(page, stage.natter, stranger())));
  return pages;
}

test('two people hear each other at once', async t => {
  const [alice, bob] = await aliceAndBob(t);
  await saysIt(alice, 'hello Bob');
  await reads(bob, said);
  await saysIt(bob, 'hello Alice');
  for (const page of [alice, bob]) await reads(page, said);
});

test('what was said is still there after a reload', async t => {
  const [alice, bob] = await aliceAndBob(t);
  await saysIt(alice, 'do you remember?');
  await saysIt(alice, 'two\nlines');
  await reads(bob, said);
  for (const page of [alice, bob]) {
    await page.reload();
    await reads(page, said);
  }
});

test('markup in a message stays text', async t => {
  const [alice, bob] = await aliceAndBob(t);
  for (const markup of ['<img src="x" onerror="document.title = \'caught\'">', '<script>document.title = "caught"</script>', '<b>bold</b> &amp; more']) {
    await saysIt(alice, markup);
  }
  for (const page of [alice, bob]) {
    await reads(page, said);
    await page.reload();
    await reads(page, said);
    assert.equal(await messages(page).locator('*').count(), 0);
    assert.equal(await page.title(), 'Natter');
  }
});

test('a text that is too long stays to be shortened', async t => {
  const [alice, bob] = await aliceAndBob(t);
  const long = 'x'.repeat(1_100_000);
  await alice.fill('#m', long);
  await alice.press('#m', 'Enter');
  const complaint = alice.getByText('The message is too long.');
  await complaint.waitFor();
  assert.equal(await alice.inputValue('#m'), long);
  await saysIt(alice, 'shorter');
  await complaint.waitFor({ state: 'hidden' });
  await reads(bob, said);
});

test('a restart of the server loses and doubles nothing', async t => {
  const [alice, bob] = await aliceAndBob(t);
  await saysIt(alice, 'before');
  await reads(bob, said);
  await stage.natter.kill();
  for (const page of [alice, bob]) await page.locator('#state', { hasText: 'Reconnecting…' }).waitFor();
  await saysIt(alice, 'in the meantime');
  await stage.natter.start();
  for (const page of [alice, bob]) await isConnected(page);
  await reads(bob, said);
  await saysIt(bob, 'after');
  for (const page of [alice, bob]) {
    await reads(page, said);
    await page.reload();
    await reads(page, said);
  }
});
