// What a person does on the pages, and what they see there.

import assert from 'node:assert/strict';

/** Fills in the sign-up form, wherever the page is, and ends in the chat. */
export async function signUp(page, natter, { email, password }) {
  await page.goto(new URL('signup/', natter.url).href);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await isInChat(page, natter);
}

/** Fills in the sign-in form that the page shows. */
export async function signIn(page, { email, password }) {
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

export async function isInChat(page, natter) {
  await page.waitForURL(natter.url);
  await isConnected(page);
}

export async function isConnected(page) {
  await page.locator('#state', { hasText: /^Connected$/ }).waitFor();
}

export async function say(page, text) {
  await page.locator('#m').fill(text);
  await page.locator('#m').press('Enter');
}

/** Waits until the messages are `texts` and no others, in this order. */
export async function reads(page, texts) {
  const areShown = texts => {
    const shown = [...document.querySelectorAll('#messages > li .text')].map(message => message.textContent);
    return shown.length === texts.length && shown.every((text, index) => text === texts[index]);
  };
  // Asserted all the same, as that says what else there is.
  await page.waitForFunction(areShown, texts).catch(() => {});
  assert.deepEqual(await messages(page).allTextContents(), texts);
}

/** Waits until the server has taken everything that was said: what is on its way is lost with the page. */
export async function isSent(page) {
  await page.waitForFunction(() => document.querySelector('#messages > li[data-status="sending"]') === null);
}

export function messages(page) {
  return page.locator('#messages > li .text');
}

/** Follows the set-up link that a server has printed, and makes its first staff account. */
export async function setUp(page, natter, { email, password }) {
  const [link] = /http\S+\/admin\/setup\/\S+/.exec(natter.log) ?? [];
  await page.goto(link);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.waitForURL(`${natter.url}admin/`);
}
