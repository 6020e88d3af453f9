// What a first visit costs, and what a long history does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './browser.mjs';
import { newcomer } from '../support/people.mjs';
import { isConnected, messages, signIn, signUp } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();

test('the first load of the chat takes at most 100 KB of script and ten requests', async t => {
  const page = await openPage(t, stage.browser);
  const person = stranger();
  await signUp(page, stage.natter, person);
  const fresh = await openPage(t, stage.browser, { storageState: await page.context().storageState() });
  const devtools = await fresh.context().newCDPSession(fresh);
  await devtools.send('Network.enable');
  const requests = new Map();
  devtools.on('Network.requestWillBeSent', ({ requestId, request, type }) => requests.set(requestId, { url: request.url, type, bytes: 0 }));
  devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => { requests.get(requestId).bytes = encodedDataLength; });
  await fresh.goto(stage.natter.url);
  await isConnected(fresh);

  const all = [...requests.values()];
  // The socket's own are as many as its transports need.
  const own = all.filter(({ url }) => !new URL(url).pathname.startsWith('/socket.io/'));
  const scripts = own.filter(({ type }) => type === 'Script');
  assert.ok(own.length <= 10, own.map(({ url }) => url).join('\n'));
  assert.equal(scripts.length, 1);
  assert.ok(scripts[0].bytes > 0 && scripts[0].bytes <= 100_000, String(scripts[0].bytes));
  assert.ok(all.every(({ url }) => url.startsWith(stage.natter.url) || url.startsWith('data:')));
});

test('ten thousand messages can be scrolled through, and the page keeps few of them', async t => {
  const COUNT = 10_000;
  const AT_ONCE = 200;
  const talker = await newcomer(stage.natter, 'talker');
  for (let said = 0; said < COUNT; said += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, () => fetch(new URL('api/messages/', stage.natter.url), {
      method: 'POST',
      headers: { Authorization: `Token ${talker.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ message: 'one of many' }),
    })));
  }
  const page = await openPage(t, stage.browser);
  await page.goto(stage.natter.url);
  await signIn(page, talker);
  await isConnected(page);
  await messages(page).first().waitFor();
  await page.evaluate(() => {
    window.most = 0;
    const list = document.getElementById('messages');
    new MutationObserver(() => { window.most = Math.max(window.most, list.children.length); }).observe(list, { childList: true });
  });
  // As somebody does who holds the Home key down.
  await page.evaluate(async () => {
    const scroller = document.getElementById('scroller');
    const earlier = document.getElementById('earlier');
    while (!earlier.hidden) {
      scroller.scrollTop = 0;
      await new Promise(resume => requestAnimationFrame(resume));
    }
  });
  const first = await fetch(new URL('api/messages/?after=0&limit=1', stage.natter.url), { headers: { Authorization: `Token ${talker.token}` } });
  const [{ time }] = (await first.json()).results;
  assert.equal(await page.locator('#messages > li time').first().getAttribute('datetime'), time);
  const most = await page.evaluate(() => window.most);
  assert.ok(most > 0 && most <= 600, String(most));
  await page.getByRole('button', { name: 'New messages' }).click();
  await page.waitForFunction(() => {
    const scroller = document.getElementById('scroller');
    return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 48;
  });
});
