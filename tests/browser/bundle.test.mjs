// A page of another site loads its client from the server, as pages do, and chats.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newcomer } from '../support/people.mjs';
import { openPage } from './browser.mjs';
import { publish } from './site.mjs';
import { setStage } from './stage.mjs';

const stage = setStage();

const CHAT = `
  const socket = io(server);
  socket.on('connect', () => socket.emit('authentication', { token }));
  socket.on('authenticated', () => socket.emit('client-sent-message', { message: 'from elsewhere' }));
  socket.on('server-got-message', ({ message }) => { document.body.textContent = message; });`;

const PAGES = {
  'socket.io.js': source => `<script src="${source}"></script><script>${CHAT}</script>`,
  'socket.io.min.js': source => `<script src="${source}"></script><script>${CHAT}</script>`,
  'socket.io.esm.min.js': source => `<script type="module">import { io } from '${source}';${CHAT}</script>`,
};

for (const [bundle, html] of Object.entries(PAGES)) {
  test(`a page that loads ${bundle} chats`, async t => {
    const { email, token } = await newcomer(stage.natter, 'alice');
    const known = `<script>const server = ${JSON.stringify(stage.natter.url)}, token = ${JSON.stringify(token)}</script>`;
    const page = await openPage(t, stage.browser);
    await page.goto(await publish(t, { '/': `<!doctype html><body>${known}${html(`${stage.natter.url}socket.io/${bundle}`)}` }));
    await page.getByText(`${email}: from elsewhere`, { exact: true }).waitFor();
  });
}

// It speaks another encoding, which a server must be set to; here it is only seen to run.
test('a page that loads socket.io.msgpack.min.js has a client', async t => {
  const page = await openPage(t, stage.browser);
  await page.goto(await publish(t, { '/': `<!doctype html><script src="${stage.natter.url}socket.io/socket.io.msgpack.min.js"></script>` }));
  assert.equal(await page.evaluate(() => typeof globalThis.io), 'function');
});
