// How the pages behave towards the browser and towards people without a mouse.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './browser.mjs';
import { isInChat, isSent, reads, say, signIn, signUp } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();

test('a whole walk asks no other host for anything and gives the browser nothing to complain about', async t => {
  const page = await openPage(t, stage.browser);
  const complaints = [];
  const hosts = new Set();
  page.on('console', message => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('request', request => hosts.add(new URL(request.url()).host));
  page.on('websocket', socket => hosts.add(new URL(socket.url()).host));

  const person = stranger();
  await signUp(page, stage.natter, person);
  await say(page, 'hello');
  await reads(page, ['hello']);
  await isSent(page);
  await page.reload();
  await reads(page, ['hello']);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(`${stage.natter.url}login/**`);
  await signIn(page, { ...person, password: 'wrong' });
  await page.getByText('Please register.').waitFor();
  await signIn(page, person);
  await isInChat(page, stage.natter);

  assert.deepEqual(complaints, []);
  assert.deepEqual([...hosts], [new URL(stage.natter.url).host]);
});

test('everything can be done with the keyboard alone', async t => {
  const page = await openPage(t, stage.browser);
  const { email, password } = stranger();
  await page.goto(stage.natter.url);
  await tabTo(page, page.getByRole('link', { name: 'Create an account' }));
  await page.keyboard.press('Enter');
  await page.waitForURL(`${stage.natter.url}signup/**`);
  await tabTo(page, page.getByLabel('E-mail address'));
  await page.keyboard.type(email);
  await tabTo(page, page.getByLabel('Password'));
  await page.keyboard.type(password);
  await tabTo(page, page.getByRole('button', { name: 'Create account' }));
  await page.keyboard.press('Enter');
  await isInChat(page, stage.natter);

  await tabTo(page, page.getByLabel('Message', { exact: true }));
  await page.keyboard.type('by keyboard');
  await page.keyboard.press('Enter');
  await page.locator('#messages > li', { hasText: 'by keyboard' }).waitFor();
  await tabTo(page, page.getByRole('button', { name: 'Sign out' }));
  await page.keyboard.press('Enter');
  await page.waitForURL(`${stage.natter.url}login/**`);
});

/** Presses Tab until `element` has the focus, and asserts that the focus can be seen. */
async function tabTo(page, element) {
  await element.waitFor();
  for (let presses = 0; !(await element.evaluate(node => node === document.activeElement)); presses++) {
    assert.ok(presses < 30, `Tab does not lead to ${element}`);
    await page.keyboard.press('Tab');
  }
  assert.ok(await element.evaluate(node => node.matches(':focus-visible')));
}
