// One's own account: name, e-mail address, password, devices, and a forgotten password.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from '../support/deadline.mjs';
import * as rest from '../support/people.mjs';
import { openPage } from './browser.mjs';
import { isInChat, signIn, signUp } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();
const WIDTHS = [320, 768, 1440];

const at = path => `${stage.natter.url}${path}`;

/** A page of somebody new who is logged in there, with JavaScript or without. */
async function newcomer(t, options = {}) {
  const person = stranger();
  await rest.signUp(stage.natter, person);
  const page = await logIn(t, person, options);
  return { person, page };
}

/** A page in a browser of its own, logged in, and on the account page. */
async function logIn(t, person, options = {}) {
  const page = await openPage(t, stage.browser, options);
  await page.goto(at('account/'));
  await signIn(page, person);
  await page.waitForURL(at('account/'));
  return page;
}

const form = (page, name) => page.locator('section', { has: page.getByRole('heading', { name, exact: true }) });

async function changePassword(page, current, next) {
  const password = form(page, 'Password');
  await password.getByLabel('Current password').fill(current);
  await password.getByLabel('New password').fill(next);
  await password.getByRole('button', { name: 'Change password' }).click();
}

const linksInLog = () =>
  [...stage.natter.log.matchAll(/http:\S+\/password-reset\/[a-z0-9]{32}\//g)].map(([link]) => link);

/** The link that the log tells of beyond the first `count`, once it does. */
async function linkBeyond(count) {
  const look = async () => {
    while (linksInLog().length <= count) await stage.natter.nextLine();
    return linksInLog()[count];
  };
  return within(15_000, 'a link in the log', look());
}

async function askForLink(page, email) {
  const { length: before } = linksInLog();
  await page.goto(at('login/'));
  await page.getByRole('link', { name: 'Forgot your password?' }).click();
  await page.getByLabel('E-mail address').fill(email);
  await page.getByRole('button', { name: 'Ask for a link' }).click();
  await page.getByRole('heading', { name: 'Look for the link' }).waitFor();
  return linkBeyond(before);
}

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? '' : ' without JavaScript';

  test(`a name is saved${how}, and a reload sends nothing again`, async t => {
    const { page } = await newcomer(t, { javaScriptEnabled });
    await page.getByLabel('First name').fill('Zoë');
    await page.getByLabel('Last name').fill('<i>Ångström</i>');
    await page.getByRole('button', { name: 'Save name' }).click();
    await page.getByText('Your name is saved.').waitFor();
    assert.equal(page.url(), at('account/?done=profile'));
    await page.reload();
    assert.equal(await page.getByLabel('First name').inputValue(), 'Zoë');
    assert.equal(await page.getByLabel('Last name').inputValue(), '<i>Ångström</i>');
  });

  test(`an e-mail address is changed with the password${how}`, async t => {
    const { page, person } = await newcomer(t, { javaScriptEnabled });
    const { email } = stranger();
    const address = form(page, 'E-mail address');
    for (const password of ['wrong', person.password]) {
      await address.getByLabel('E-mail address').fill(email);
      await address.getByLabel('Current password').fill(password);
      await address.getByRole('button').click();
      if (password === 'wrong') {
        await address.getByText('Your old password was entered incorrectly.').waitFor();
        assert.equal(await address.getByLabel('E-mail address').inputValue(), email);
        const field = address.getByLabel('Current password');
        assert.ok(await field.evaluate(node => node === document.activeElement && node.getAttribute('aria-invalid') === 'true'));
      }
    }
    await page.getByText('Your e-mail address is changed.').waitFor();
    await page.getByRole('banner').getByText(email).waitFor();
  });

  test(`a new password keeps this browser and logs the other out${how}`, async t => {
    const { page, person } = await newcomer(t, { javaScriptEnabled });
    const other = await logIn(t, person, { javaScriptEnabled });
    await changePassword(page, person.password, 'tree lamp');
    await page.getByText('Your password is changed').waitFor();
    assert.equal(page.url(), at('account/?done=password'));
    await other.reload();
    assert.equal(other.url(), at('login/?next=/account/'));
    await signIn(other, { ...person, password: 'tree lamp' });
    await other.waitForURL(at('account/'));
  });

  test(`a forgotten password is replaced by a link, which works once${how}`, async t => {
    const { page: elsewhere, person } = await newcomer(t);
    const page = await openPage(t, stage.browser, { javaScriptEnabled });
    const before = await askForLink(page, person.email);
    const link = await askForLink(page, person.email);
    await page.goto(before);
    await page.getByRole('heading', { name: 'This link does not work any more' }).waitFor();
    await page.goto(link);
    await page.getByText(person.email).waitFor();
    await page.getByLabel('New password').fill('tree lamp');
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.getByRole('heading', { name: 'Your password is changed' }).waitFor();
    await elsewhere.reload();
    assert.equal(elsewhere.url(), at('login/?next=/account/'));
    await page.goto(link);
    await page.getByRole('heading', { name: 'This link does not work any more' }).waitFor();
    await page.goto(at('login/?next=/account/'));
    await signIn(page, { ...person, password: 'tree lamp' });
    await page.waitForURL(at('account/'));
  });

  test(`a device is signed out by a button${how}`, async t => {
    const { page, person } = await newcomer(t, { javaScriptEnabled });
    await rest.signIn(stage.natter, person);
    await page.getByRole('link', { name: 'Your devices' }).click();
    const devices = page.getByRole('listitem');
    await devices.filter({ hasText: 'This browser' }).getByText('Chrome on Linux').waitFor();
    await devices.filter({ hasText: 'Node.js' }).getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('The device is signed out.').waitFor();
    assert.equal(await devices.count(), 1);
    assert.equal(await devices.getByRole('button').count(), 0);
  });
}

test('signing the others out ends another browser and its socket at once', async t => {
  const { page, person } = await newcomer(t);
  const other = await openPage(t, stage.browser);
  const socket = new Promise(resolve => { other.on('websocket', resolve); });
  await other.goto(stage.natter.url);
  await signIn(other, person);
  await isInChat(other, stage.natter);
  const closed = (await socket).waitForEvent('close');

  await page.getByRole('link', { name: 'Your devices' }).click();
  await page.getByRole('button', { name: 'Sign out all others' }).click();
  await page.getByText('their tokens cannot be used any more').waitFor();
  await page.getByRole('button', { name: 'Sign out all others' }).click();
  await page.getByText('All other devices are signed out.').waitFor();
  await closed;
  await other.goto(stage.natter.url);
  assert.equal(other.url(), `${stage.natter.url}login/?next=/`);
});

test('the bar leads from the account to the chat and out', async t => {
  const { page } = await newcomer(t);
  const places = page.getByRole('navigation', { name: 'Site' });
  assert.deepEqual(await places.getByRole('link').allTextContents(), ['Chat', 'Account']);
  await places.getByRole('link', { name: 'Chat' }).click();
  await isInChat(page, stage.natter);
  await page.goto(at('account/'));
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(at('login/'));
});

test('nothing that was written stays in the browser after signing out, from whichever page', async t => {
  const { person, page } = await newcomer(t);
  await page.goto(stage.natter.url);
  await isInChat(page, stage.natter);
  await page.locator('#m').fill('a draft');
  await page.goto(at('account/'));
  assert.notEqual(await page.evaluate(() => localStorage.length), 0);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(at('login/'));
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  await signIn(page, person);
  await isInChat(page, stage.natter);
  assert.equal(await page.locator('#m').inputValue(), '');
});

test('no page is wider than the screen, and no key leaves the server', async t => {
  const page = await openPage(t, stage.browser);
  const hosts = new Set();
  const complaints = [];
  const referrers = [];
  page.on('request', request => {
    hosts.add(new URL(request.url()).host);
    referrers.push(request.headers().referer ?? '');
  });
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
  const person = { email: `${'long'.repeat(15)}@${'example.'.repeat(12)}org`, password: 'qwerty' };
  await signUp(page, stage.natter, person);
  const link = await askForLink(page, person.email);
  for (const path of ['account/', 'account/devices/', 'password-reset/', 'password-reset/sent/', link, 'login/']) {
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      await page.goto(new URL(path, stage.natter.url).href);
      const [wanted, given] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
      assert.ok(wanted <= given, `${path} is ${wanted} px wide on ${given}`);
      const unlabelled = await page.evaluate(() => [...document.querySelectorAll('input:not([type="hidden"])')].filter(input => input.labels.length === 0).length);
      assert.equal(unlabelled, 0, path);
    }
  }
  assert.deepEqual(complaints, []);
  assert.deepEqual([...hosts], [new URL(stage.natter.url).host]);
  assert.ok(referrers.every(referrer => !/password-reset\/[a-z0-9]{32}/.test(referrer)), referrers.join('\n'));
});
