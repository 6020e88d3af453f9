// Usage: node screenshots.mjs FOLDER
// Saves pictures of the pages on phones, a tablet and a desktop, light and dark, to look at them.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startNatter } from '../support/natter.mjs';
import { openBrowser } from './browser.mjs';
import * as rest from '../support/people.mjs';
import { reads, say, setUp, signUp } from './pages.mjs';

const SCREENS = {
  small: { viewport: { width: 320, height: 640 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  tablet: { viewport: { width: 768, height: 1024 } },
  desktop: { viewport: { width: 1440, height: 900 } },
};

const TALK = [
  ['alice', 'Good morning! Is anybody here already?'],
  ['bob', 'Just arrived. The old clients connect as if nothing had happened.'],
  ['bob', 'Here is a longer message, to see how it wraps: the table is the log, and the broadcast is its replay. What anybody saw is in the history.'],
  ['alice', 'Two lines,\nand some <b>markup</b> that stays text.'],
];

const ADMIN = { overview: '', users: 'users/', user: 'users/2/', 'new-user': 'users/new/', connections: 'connections/', audit: 'audit/' };

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node screenshots.mjs FOLDER');
  process.exit(2);
}
await mkdir(folder, { recursive: true });
const [natter, browser] = await Promise.all([startNatter(), openBrowser()]);
try {
  const [admin, storageState] = [await staffsProfile(), await alicesProfile()];
  for (const [screen, settings] of Object.entries(SCREENS)) {
    for (const colorScheme of ['light', 'dark']) {
      const shoot = (name, path, profile) => picture({ ...settings, ...profile, colorScheme }, path, `${name}-${screen}-${colorScheme}.png`);
      await shoot('login', 'login/');
      await shoot('signup', 'signup/');
      await shoot('chat', '', { storageState });
      for (const [name, path] of Object.entries(ADMIN)) await shoot(`admin-${name}`, `admin/${path}`, { storageState: admin });
      await shoot('account', 'account/', { storageState });
      await shoot('devices', 'account/devices/', { storageState });
    }
  }
} finally {
  await browser.close();
  await natter.remove();
}

/** Lets Alice and Bob talk: Alice's cookies. */
async function alicesProfile() {
  const pages = {};
  for (const name of ['alice', 'bob']) {
    pages[name] = await browser.newPage();
    await signUp(pages[name], natter, { email: `${name}@example.org`, password: 'qwerty' });
  }
  for (const [index, [name, text]] of TALK.entries()) {
    await say(pages[name], text);
    await reads(pages.alice, TALK.slice(0, index + 1).map(([, text]) => text));
  }
  for (const [kind, name] of [['Room, open to all', 'Tea and biscuits'], ['Room, by invitation', 'Planning']]) {
    await pages.bob.getByRole('button', { name: 'New', exact: true }).click();
    await pages.bob.getByLabel(kind).check();
    await pages.bob.getByLabel('Name of the room').last().fill(name);
    await pages.bob.getByRole('button', { name: 'Open', exact: true }).click();
    await pages.bob.getByRole('heading', { name }).waitFor();
  }
  await pages.bob.locator('#people').getByRole('button', { name: 'alice@example.org' }).click();
  await pages.bob.getByRole('heading', { name: 'alice@example.org' }).waitFor();
  await say(pages.bob, 'Shall we?');
  return pages.alice.context().storageState();
}

/** Makes the first staff account, and some to look after: its cookies. */
async function staffsProfile() {
  const page = await browser.newPage();
  await setUp(page, natter, { email: 'staff@example.org', password: 'qwerty' });
  for (const name of ['zoe', 'a.rather.long.name.of.somebody.at.a.department']) {
    await rest.signUp(natter, { email: `${name}@example.org`, password: 'qwerty' });
    await rest.signIn(natter, { email: `${name}@example.org`, password: 'qwerty' });
  }
  return page.context().storageState();
}

async function picture(settings, path, file) {
  const profile = await browser.newContext({ locale: 'en-US', ...settings });
  const page = await profile.newPage();
  await page.goto(new URL(path, natter.url).href, { waitUntil: 'networkidle' });
  if (path === '') await reads(page, TALK.map(([, text]) => text));
  await page.screenshot({ path: join(folder, file), fullPage: path.startsWith('admin') });
  await profile.close();
}
