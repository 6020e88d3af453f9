// What axe-core finds on the pages, in both schemes, on a phone and on a desktop.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { openPage } from './browser.mjs';
import { isConnected, reads, say, setUp, signUp } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Asserts that axe finds nothing wrong with the page as it is. */
async function isAccessible(page, what) {
  // The pages' policy lets no foreign script in but by the debugger.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  assert.deepEqual(found, [], what);
}

const staff = { email: 'staff@example.org', password: 'qwerty' };

/** Somebody of the staff, who is made once. */
async function staffsProfile() {
  const page = await stage.browser.newPage();
  await setUp(page, stage.natter, staff);
  return page.context().storageState();
}

let profileOfStaff;

for (const colorScheme of ['light', 'dark']) {
  for (const [screen, viewport] of Object.entries({ phone: { width: 320, height: 640 }, desktop: { width: 1440, height: 900 } })) {
    const settings = { viewport, colorScheme, reducedMotion: 'reduce' };

    test(`the admin site is accessible on a ${screen}, ${colorScheme}`, async t => {
      const page = await openPage(t, stage.browser, { ...settings, storageState: await (profileOfStaff ??= staffsProfile()) });
      const paths = ['', 'users/?q=staff&sort=email', 'users/new/', 'users/1/', 'tokens/', 'sessions/', 'sessions/1/', 'connections/', 'conversations/1/', 'conversations/', 'messages/', 'audit/', 'audit/1/'];
      for (const path of paths) {
        await page.goto(new URL(`admin/${path}`, stage.natter.url).href);
        await isAccessible(page, path);
      }
      await page.goto(new URL('admin/sessions/', stage.natter.url).href);
      await page.getByRole('checkbox', { name: /Session 1 / }).check();
      await page.getByRole('button', { name: 'End' }).click();
      await page.getByRole('heading', { name: 'End?' }).waitFor();
      await isAccessible(page, 'a question');
    });

    test(`the forms are accessible on a ${screen}, ${colorScheme}`, async t => {
      const page = await openPage(t, stage.browser, settings);
      for (const path of ['login/', 'signup/', 'password-reset/', 'admin/login/', 'nowhere']) {
        await page.goto(new URL(path, stage.natter.url).href);
        await isAccessible(page, path);
      }
      await page.goto(new URL('login/', stage.natter.url).href);
      await page.getByLabel('E-mail address').fill('nobody@example.org');
      await page.getByLabel('Password').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('Please register.').waitFor();
      await isAccessible(page, 'a refused sign-in');
    });

    test(`the account is accessible on a ${screen}, ${colorScheme}`, async t => {
      const page = await openPage(t, stage.browser, settings);
      await signUp(page, stage.natter, stranger());
      for (const path of ['account/', 'account/devices/', 'account/devices/sign-out-others/']) {
        await page.goto(new URL(path, stage.natter.url).href);
        await isAccessible(page, path);
      }
      await page.goto(new URL('account/', stage.natter.url).href);
      await page.getByLabel('New password').fill('short');
      await page.getByLabel('Current password').last().fill('wrong');
      await page.getByRole('button', { name: 'Change password' }).click();
      await page.locator('[aria-invalid="true"]').first().waitFor();
      await isAccessible(page, 'a refused password');
    });

    test(`the chat is accessible on a ${screen}, ${colorScheme}`, async t => {
      const [page, other] = [await openPage(t, stage.browser, settings), await openPage(t, stage.browser)];
      const [alice, bob] = [stranger(), stranger()];
      await signUp(page, stage.natter, alice);
      await signUp(other, stage.natter, bob);
      await isConnected(page);
      const menu = async () => screen === 'phone' && page.getByRole('button', { name: /^Rooms/ }).click();

      await menu();
      await page.getByRole('button', { name: 'New', exact: true }).click();
      await isAccessible(page, 'the dialog for a room');
      await page.getByLabel('Room, by invitation').check();
      await page.getByLabel('Name of the room').last().fill('A room');
      await page.getByRole('button', { name: 'Open', exact: true }).click();
      await page.getByRole('heading', { name: 'A room' }).waitFor();
      await say(page, 'one');
      await say(page, 'two');
      await reads(page, ['one', 'two']);
      await isAccessible(page, 'a room');

      await page.getByRole('button', { name: 'Members' }).click();
      await page.getByLabel('E-mail address of somebody to bring in').fill(bob.email);
      await page.getByRole('button', { name: 'Bring in' }).click();
      await page.locator('#members-list').getByText(bob.email).waitFor();
      await isAccessible(page, 'the members');
      await page.getByRole('button', { name: 'Close' }).click();

      await page.locator('#messages > li').last().getByRole('button', { name: 'Delete' }).focus();
      await isAccessible(page, 'what can be done with a message');
      await page.keyboard.press('Enter');
      await isAccessible(page, 'the question before deleting');
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
      await page.getByText('This message was deleted.').waitFor();
      await page.locator('#m').press('ArrowUp');
      await isAccessible(page, 'editing');
      await page.keyboard.press('Escape');

      await page.keyboard.press('Control+k');
      await isAccessible(page, 'the way to another room');
      await page.keyboard.press('Escape');
      await menu();
      await isAccessible(page, 'the rooms');
      await page.context().setOffline(true);
      await page.getByText('This device is offline.').waitFor();
      await isAccessible(page, 'offline');
    });
  }
}
