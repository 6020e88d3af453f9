import { after, before } from 'node:test';
import { startNatter } from '../support/natter.mjs';
import { openBrowser } from './browser.mjs';

/** The server and the browser of a test file. */
export function setStage() {
  const stage = {};
  before(async () => { [stage.natter, stage.browser] = await Promise.all([startNatter(), openBrowser()]); });
  after(async () => {
    await stage.browser?.close();
    await stage.natter?.remove();
  });
  return stage;
}

let people = 0;

/** Someone nobody knows yet. */
export function stranger() {
  return { email: `person${++people}@example.org`, password: 'qwerty' };
}
