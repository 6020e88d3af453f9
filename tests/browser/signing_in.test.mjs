// Into the chat and out of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as rest from '../support/people.mjs';
import { openPage } from './browser.mjs';
import { isInChat, say, signIn, signUp } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();

/** Someone with an account, who has never been on the page. */
async function member() {
  const person = stranger();
  await rest.signUp(stage.natter, person);
  return person;
}

test('signing up leads into the chat', async t => {
  const page = await openPage(t, stage.browser);
  await signUp(page, stage.natter, stranger());
  await say(page, 'hello');
  await page.locator('#messages > li', { hasText: 'hello' }).waitFor();
});

test('who is not signed in is asked to, and then sees the chat', async t => {
  const page = await openPage(t, stage.browser);
  await page.goto(stage.natter.url);
  assert.equal(page.url(), `${stage.natter.url}login/?next=/`);
  await signIn(page, await member());
  await isInChat(page, stage.natter);
});

test('signing in works without JavaScript and leads to where one wanted to go', async t => {
  const page = await openPage(t, stage.browser, { javaScriptEnabled: false });
  await page.goto(`${stage.natter.url}?from=mail`);
  const person = await member();
  await signIn(page, person);
  await page.waitForURL(`${stage.natter.url}?from=mail`);
  await page.getByText(person.email).waitFor();
});

test('signing up works without JavaScript', async t => {
  const page = await openPage(t, stage.browser, { javaScriptEnabled: false });
  const person = stranger();
  await page.goto(`${stage.natter.url}signup/`);
  await page.getByLabel('E-mail address').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.waitForURL(stage.natter.url);
  await page.getByText(person.email).waitFor();
});

test('signing in never leads to another site', async t => {
  const page = await openPage(t, stage.browser);
  await page.goto(`${stage.natter.url}login/?next=//example.org/`);
  await signIn(page, await member());
  await isInChat(page, stage.natter);
});

test('a wrong password shows the form again, with “Please register.” and the e-mail address', async t => {
  const page = await openPage(t, stage.browser);
  await page.goto(`${stage.natter.url}login/`);
  const { email } = await member();
  await signIn(page, { email, password: 'wrong' });
  await page.getByText('Please register.').waitFor();
  assert.equal(await page.getByLabel('E-mail address').inputValue(), email);
  assert.equal(await page.getByLabel('Password').inputValue(), '');
});

test('an e-mail address that is taken is said to be', async t => {
  const page = await openPage(t, stage.browser);
  await page.goto(`${stage.natter.url}signup/`);
  await page.getByLabel('E-mail address').fill((await member()).email);
  await page.getByLabel('Password').fill('qwerty');
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByText('Member with this email address already exists.').waitFor();
});

test('signing out ends the session', async t => {
  const page = await openPage(t, stage.browser);
  await signUp(page, stage.natter, stranger());
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(`${stage.natter.url}login/**`);
  await page.goto(stage.natter.url);
  assert.equal(page.url(), `${stage.natter.url}login/?next=/`);
});
