// The admin site, by whoever comes in through the set-up link.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as rest from '../support/people.mjs';
import { openPage } from './browser.mjs';
import { isInChat, setUp, signIn } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();
const staff = { email: 'staff@example.org', password: 'qwerty' };

test('the printed link makes the first of the staff, without JavaScript', async t => {
  const page = await openPage(t, stage.browser, { javaScriptEnabled: false });
  await setUp(page, stage.natter, staff);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.getByRole('link', { name: 'Audit log' }).click();
  await page.getByRole('cell', { name: 'set-up link' }).first().waitFor();
});

async function openAdmin(t, options) {
  const page = await openPage(t, stage.browser, options);
  await page.goto(`${stage.natter.url}admin/`);
  await signIn(page, staff);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  return page;
}

for (const javaScriptEnabled of [true, false]) {
  test(`a user is made, changed, deactivated and let in again ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async t => {
    const page = await openAdmin(t, { javaScriptEnabled });
    const person = stranger();
    await page.getByRole('link', { name: 'Users' }).click();
    await page.getByRole('link', { name: 'New user' }).click();
    await page.getByLabel('E-mail address').fill(person.email);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Create user' }).click();
    await page.getByText('Users created: 1.').waitFor();
    await page.getByLabel('First name').fill('Pat');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Users changed: 1.').waitFor();
    await rest.signIn(stage.natter, person);

    await page.getByRole('link', { name: 'Users', exact: true }).first().click();
    await page.getByLabel(/^Search/).fill(person.email);
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('Page 1 of 1, 1 in all').waitFor();
    await page.getByRole('checkbox', { name: `Select ${person.email}` }).check();
    await page.getByRole('button', { name: 'Deactivate' }).click();
    await page.getByRole('heading', { name: 'Deactivate?' }).waitFor();
    await page.getByRole('button', { name: 'Deactivate' }).click();
    await page.getByText('Users deactivated: 1.').waitFor();
    await assert.rejects(rest.signIn(stage.natter, person));
    await page.getByRole('checkbox', { name: `Select ${person.email}` }).check();
    await page.getByRole('button', { name: 'Activate', exact: true }).click();
    await page.getByText('Users activated: 1.').waitFor();
    await rest.signIn(stage.natter, person);
  });
}

test('a list is sorted by its heads', async t => {
  const page = await openAdmin(t);
  await page.goto(`${stage.natter.url}admin/users/`);
  await page.getByRole('link', { name: 'E-mail' }).click();
  await page.locator('th[aria-sort="ascending"]', { hasText: 'E-mail' }).waitFor();
  await page.getByRole('link', { name: 'E-mail' }).click();
  await page.locator('th[aria-sort="descending"]', { hasText: 'E-mail' }).waitFor();
  const emails = await page.locator('td[data-title="E-mail"]').allTextContents();
  assert.deepEqual(emails, emails.toSorted().reverse());
});

test('one box selects all', async t => {
  const page = await openAdmin(t);
  await page.goto(`${stage.natter.url}admin/users/`);
  await page.getByRole('checkbox', { name: 'Select all' }).check();
  const boxes = page.locator('input[name="id"]');
  assert.equal(await boxes.count(), await page.locator('input[name="id"]:checked').count());
  assert.ok(await boxes.count() >= 1);
});

test('a connected client is seen and disconnected', async t => {
  const page = await openAdmin(t);
  const chat = await openPage(t, stage.browser);
  const person = stranger();
  await rest.signUp(stage.natter, person);
  await chat.goto(stage.natter.url);
  await signIn(chat, person);
  await isInChat(chat, stage.natter);
  await page.getByRole('link', { name: 'Connections' }).click();
  const row = page.getByRole('row', { name: person.email });
  await row.getByText('Engine.IO 4').waitFor();
  await row.getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Disconnect' }).click();
  await page.getByRole('button', { name: 'Disconnect' }).click();
  await page.getByText('Disconnected: 1.').waitFor();
  await chat.locator('#state:not([data-state="connected"])').waitFor();
});

test('the overview renews itself while it is open', async t => {
  const page = await openAdmin(t);
  const users = page.locator('[data-text="users"]');
  const before = Number(await users.textContent());
  await rest.signUp(stage.natter, stranger());
  await page.locator('[data-text="users"]', { hasText: new RegExp(`^${before + 1}$`) }).waitFor();
  assert.notEqual(await page.locator('polyline[data-line="websocket"]').getAttribute('points'), '');
});

test('no page is wider than a small phone or gives the browser anything to complain about', async t => {
  const page = await openAdmin(t, { viewport: { width: 320, height: 640 } });
  const complaints = [];
  page.on('console', message => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(String(error)));
  for (const path of ['', 'users/', 'users/new/', 'users/1/', 'tokens/', 'sessions/', 'sessions/1/', 'connections/', 'conversations/', 'conversations/1/', 'messages/', 'audit/', 'audit/1/']) {
    await page.goto(`${stage.natter.url}admin/${path}`);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 320, `${path} is ${width} wide`);
  }
  assert.deepEqual(complaints, []);
});
