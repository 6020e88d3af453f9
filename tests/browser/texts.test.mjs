// Whatever people write is text, and breaks no layout.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './browser.mjs';
import { messages, reads, say, signUp } from './pages.mjs';
import { setStage, stranger } from './stage.mjs';

const stage = setStage();

const TEXTS = [
  '<script>document.title = "caught"</script>',
  '"><img src=x onerror="document.title=\'caught\'">',
  `a${'\u0301'.repeat(8_000)}`,
  '\u202Eright to left\u202C and \u2067back\u2069',
  'שלום עולם, מה שלומך היום?',
  'W'.repeat(16_384),
  `https://example.org/${'a'.repeat(2_000)}`,
  '🏳️‍🌈'.repeat(200),
];

for (const width of [320, 768, 1440]) {
  test(`any text is text and stays within ${width} pixels`, async t => {
    const page = await openPage(t, stage.browser, { viewport: { width, height: 800 } });
    await signUp(page, stage.natter, stranger());
    const menu = async () => width < 768 + 1 && page.getByRole('button', { name: /^Rooms/ }).click();
    const name = `<b>${'W'.repeat(70)}</b>`;
    await menu();
    await page.getByRole('button', { name: 'New', exact: true }).click();
    await page.getByLabel('Name of the room').last().fill(name);
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByRole('heading', { name, exact: true }).waitFor();
    for (const text of TEXTS) await say(page, text);
    await reads(page, TEXTS);
    assert.equal(await messages(page).locator('*').count(), 0);
    await menu();
    for (const selector of ['html', '#scroller', '#sidebar']) {
      const [shown, needed] = await page.locator(selector).evaluate(element => [element.clientWidth, element.scrollWidth]);
      assert.ok(needed <= shown, `${selector} is ${needed} wide in ${shown}`);
    }
    // Combining marks pile up over what is above them, unless they are kept in.
    const boxes = await messages(page).evaluateAll(all => all.map(text => getComputedStyle(text).overflow));
    assert.deepEqual(new Set(boxes), new Set(['clip']));
    assert.ok(!(await page.title()).includes('caught'));
  });
}
