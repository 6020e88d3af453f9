// Every client’s own build for browsers hears from the server of examples/conformance what it said to it. Unlike in Node, the
// old ones poll with binary frames here, and have JSONP.

import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { startConformance } from '../../support/conformance.mjs';
import { conversations } from '../../support/conversations.mjs';
import { within } from '../../support/deadline.mjs';
import { openBrowser, openPage } from '../browser.mjs';
import { publish } from '../site.mjs';

const DEADLINE_MS = 10_000;

const CLIENTS = [
  { version: '1.0.6', bundle: 'socket.io.js', jsonp: true },
  { version: '1.3.7', bundle: 'socket.io.js', jsonp: true },
  { version: '1.4.5', bundle: 'socket.io.js', jsonp: true },
  { version: '1.7.4', bundle: 'dist/socket.io.js', jsonp: true },
  { version: '2.0.4', bundle: 'dist/socket.io.js', jsonp: true },
  { version: '2.5.0', bundle: 'dist/socket.io.js', jsonp: true },
  { version: '3.1.3', bundle: 'dist/socket.io.js', jsonp: true },
  { version: '4.0.2', bundle: 'dist/socket.io.js', jsonp: true },
  { version: '4.8', bundle: 'dist/socket.io.js', jsonp: false },
];

const WAYS = [
  { way: 'polling', options: { transports: ['polling'] } },
  { way: 'polling in base64', options: { transports: ['polling'], forceBase64: true } },
  { way: 'JSONP', options: { transports: ['polling'], jsonp: true, forceJSONP: true } },
  { way: 'websocket', options: { transports: ['websocket'] } },
  { way: 'websocket in base64', options: { transports: ['websocket'], forceBase64: true } },
  { way: 'polling, then websocket', options: { transports: ['polling', 'websocket'] } },
  { way: 'JSONP, then websocket', options: { transports: ['polling', 'websocket'], jsonp: true, forceJSONP: true } },
];

const PAGE = `<!doctype html><script src="/client.js"></script>
  <script type="module">import { Talker } from '/conversations.mjs'; window.Talker = Talker;</script>`;

let server, browser;
before(async () => { [server, browser] = await Promise.all([startConformance(), openBrowser()]); });
after(() => Promise.all([server?.end(), browser?.close()]));

for (const { version, bundle, jsonp } of CLIENTS) {
  for (const { way, options } of WAYS.filter(({ options }) => jsonp || !options.jsonp)) {
    const name = `socket.io-client ${version} in Chromium by ${way}`;
    test(name, async t => {
      const [client, script] = await Promise.all([
        readFile(new URL(`../node_modules/socket.io-client-${version}/${bundle}`, import.meta.url)),
        readFile(new URL('../../support/conversations.mjs', import.meta.url)),
      ]);
      const page = await openPage(t, browser);
      const site = await publish(t, { '/': PAGE, '/client.js': client, '/conversations.mjs': script });
      for (const conversation of conversations) {
        await t.test(`${name}: ${conversation.name}`, async () => {
          // Ends what was before, as people do: 1.0.6 fails to disconnect by JSONP.
          await page.goto(site);
          await within(DEADLINE_MS, conversation.name, page.evaluate(
            ([url, options, name]) => new window.Talker({ connect: window.io }, url, options).holds(name),
            [server.url, options, conversation.name],
          ));
        });
      }
    });
  }
}
