// Pages in the language of the browser: everything German, what the script says too.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './browser.mjs';
import { reads, say, setUp, signUp } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();
const staff = stranger();

/** A German page of someone who has just signed up. */
async function newcomer(t, person = stranger()) {
  const page = await openPage(t, stage.browser, { locale: 'de-DE' });
  await page.goto(new URL('signup/', stage.natter.url).href);
  await page.getByLabel('E-Mail-Adresse').fill(person.email);
  await page.getByLabel('Passwort').fill(person.password);
  await page.getByRole('button', { name: 'Konto anlegen' }).click();
  await isConnected(page);
  return page;
}

async function signIn(page, { email, password }) {
  await page.getByLabel('E-Mail-Adresse').fill(email);
  await page.getByLabel('Passwort').fill(password);
  await page.getByRole('button', { name: 'Anmelden' }).click();
}

async function isConnected(page) {
  await page.locator('#state', { hasText: /^Verbunden$/ }).waitFor();
}

test('the first of the staff is made, and the admin site is German', async t => {
  const page = await openPage(t, stage.browser);
  await setUp(page, stage.natter, staff);
  const german = await openPage(t, stage.browser, { locale: 'de-AT', storageState: await page.context().storageState() });
  await german.goto(`${stage.natter.url}admin/`);
  await german.getByRole('heading', { name: 'Überblick' }).waitFor();
  await german.getByRole('link', { name: 'Protokoll' }).click();
  await german.getByRole('cell', { name: 'Einrichtungslink' }).first().waitFor();
  await german.getByRole('cell', { name: 'Benutzer anlegen' }).waitFor();
  await german.goto(`${stage.natter.url}admin/users/`);
  await german.getByRole('checkbox', { name: 'Alle auswählen' }).check();
  await german.getByRole('button', { name: 'Ins Team aufnehmen' }).click();
  await german.getByRole('heading', { name: 'Ins Team aufnehmen?' }).waitFor();
  await german.getByRole('button', { name: 'Ins Team aufnehmen' }).click();
  await german.getByText('Benutzer ins Team aufgenommen: 0.').waitFor();
  await german.getByText('Seite 1 von 1, insgesamt 1').waitFor();
});

test('the way in and the account are German', async t => {
  const person = stranger();
  await newcomer(t, person);
  const page = await openPage(t, stage.browser, { locale: 'de-CH' });
  await page.goto(stage.natter.url);
  assert.equal(await page.title(), 'Anmelden · Natter');
  await signIn(page, { ...person, password: 'wrong' });
  await page.getByRole('alert').getByText('Bitte registriere dich. Konto anlegen oder E-Mail-Adresse und Passwort prüfen.').waitFor();
  await signIn(page, person);
  await isConnected(page);
  await page.getByRole('link', { name: 'Konto' }).click();
  await page.getByRole('heading', { name: 'Dein Konto' }).waitFor();
  await page.getByLabel('Vorname').fill('Pat');
  await page.getByRole('button', { name: 'Name speichern' }).click();
  await page.getByText('Dein Name ist gespeichert.').waitFor();
  await page.getByRole('link', { name: 'Deine Geräte' }).click();
  await page.getByRole('heading', { name: /^Chrome unter Linux/ }).first().waitFor();
  await page.getByText(/^\d+\.\d+\.\d{4}, \d\d:\d\d UTC$/).first().waitFor();
});

test('the chat is German, and so is what its script says', async t => {
  const [ann, ben] = [stranger(), stranger()];
  const [one, other] = [await newcomer(t, ann), await newcomer(t, ben)];
  await one.getByRole('heading', { name: 'Alle', exact: true }).waitFor();
  const content = await one.locator('#messages').evaluate(list => getComputedStyle(list, '::after').content);
  assert.equal(content, '"Noch keine Nachrichten. Sag Hallo!"');
  await other.locator('#m').pressSequentially('hm');
  await one.locator('#typing').getByText(`${ben.email} schreibt …`).waitFor();
  await one.locator('#people').getByText(`${ann.email} (du)`).waitFor();

  await one.getByRole('button', { name: 'Neu', exact: true }).click();
  await one.getByLabel('Mit einer Person').check();
  await one.getByLabel('E-Mail-Adresse der Person', { exact: true }).fill('nobody@example.org');
  await one.getByRole('button', { name: 'Öffnen' }).click();
  await one.getByText('Niemand hat diese E-Mail-Adresse.', { exact: true }).waitFor();
  await one.getByLabel('Raum, offen für alle').check();
  await one.getByLabel('Name des Raums').last().fill('Küche');
  await one.getByRole('button', { name: 'Öffnen' }).click();
  await one.getByRole('heading', { name: 'Küche' }).waitFor();
  await say(one, 'guten Tag');
  await reads(one, ['guten Tag']);
  const today = new Intl.DateTimeFormat('de-DE', { weekday: 'long', day: 'numeric', month: 'long' }).format();
  await one.locator(`#messages > li[data-day="${today}"]`).waitFor();
  await one.locator('#messages > li').hover();
  await one.getByRole('button', { name: 'Löschen' }).click();
  await one.getByRole('dialog').getByRole('button', { name: 'Löschen' }).click();
  await reads(one, ['Diese Nachricht wurde gelöscht.']);
  await other.locator('#m').fill('x');
  await other.locator('#m').press('Enter');
  await one.locator('#rooms').getByRole('link', { name: 'Alle' }).getByLabel('1 ungelesen').waitFor();

  await other.route('**/socket.io/**', route => route.abort());
  await other.context().setOffline(true);
  await other.getByText('Dieses Gerät ist offline.').waitFor();
});

test('German words, which are longer, fit into small phones', async t => {
  const page = await openPage(t, stage.browser, { locale: 'de-DE', viewport: { width: 320, height: 640 } });
  const fits = async path => {
    await page.goto(stage.natter.url + path);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 320, `${path} is ${width} wide`);
  };
  for (const path of ['login/', 'signup/', 'password-reset/', 'password-reset/sent/', 'nowhere']) await fits(path);
  await page.goto(stage.natter.url);
  await signIn(page, staff);
  await isConnected(page);
  const paths = ['', 'account/', 'account/devices/', 'admin/', 'admin/users/new/', 'admin/users/1/', 'admin/tokens/1/'];
  const lists = ['users', 'tokens', 'sessions', 'connections', 'conversations', 'messages', 'audit'];
  for (const path of [...paths, ...lists.map(list => `admin/${list}/`)]) await fits(path);
});

test('an English browser still reads English', async t => {
  const page = await openPage(t, stage.browser, { locale: 'en-GB' });
  await signUp(page, stage.natter, stranger());
  assert.equal(await page.locator('html').getAttribute('lang'), 'en');
  await page.getByRole('heading', { name: 'Everyone', exact: true }).waitFor();
});
