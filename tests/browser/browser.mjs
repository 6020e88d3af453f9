import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
const DEADLINE_MS = 15_000;

export function openBrowser() {
  return chromium.launch({ executablePath: process.env.NATTER_TEST_CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
}

/** A page in a browser profile of its own, English unless the options say otherwise, closed when the test `t` ends. */
export async function openPage(t, browser, options = {}) {
  const profile = await browser.newContext({ locale: 'en-US', ...options });
  t.after(() => profile.close());
  profile.setDefaultTimeout(DEADLINE_MS);
  return profile.newPage();
}
