// Several people in several tabs, while the server falls and comes back, and somebody's network does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './browser.mjs';
import { isConnected, isSent, messages, say, signUp } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();
const ROUNDS = 4;

test('whatever breaks, all that was said is on every page once, in one order', async t => {
  const [alice, bob] = [await openPage(t, stage.browser), await openPage(t, stage.browser)];
  const account = stranger();
  await signUp(alice, stage.natter, account);
  const { email } = stranger();
  await signUp(bob, stage.natter, { email, password: 'qwerty' });
  await alice.locator('#people').getByRole('button', { name: email }).click();
  await alice.getByRole('heading', { name: email }).waitFor();
  const second = await alice.context().newPage();
  await second.goto(alice.url());
  await second.getByRole('heading', { name: email }).waitFor();
  await bob.locator('#rooms').getByRole('link', { name: account.email }).click();
  await bob.getByRole('heading', { name: account.email }).waitFor();

  const pages = { alice, second, bob };
  const said = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, page] of Object.entries(pages)) {
      await isConnected(page);
      for (const moment of ['before', 'while', 'after']) {
        if (moment === 'while' && round % 2 === 0 && name === 'alice') await stage.natter.kill();
        if (moment === 'while' && round % 2 === 1 && name === 'bob') await bob.context().setOffline(true);
        said.push(`${name} ${moment} ${round}`);
        await say(page, said.at(-1));
      }
      if (round % 2 === 0 && name === 'alice') await stage.natter.start();
      await bob.context().setOffline(false);
    }
  }
  for (const page of Object.values(pages)) {
    await isConnected(page);
    await isSent(page);
  }
  for (const page of Object.values(pages)) await messages(page).nth(said.length - 1).waitFor();
  const [first, ...others] = await Promise.all(Object.values(pages).map(page => messages(page).allTextContents()));
  assert.deepEqual([...first].sort(), [...said].sort());
  for (const other of others) assert.deepEqual(other, first);
  await bob.reload();
  await messages(bob).nth(said.length - 1).waitFor();
  assert.deepEqual(await messages(bob).allTextContents(), first);
});
