import assert from 'node:assert/strict';
import { startNatter } from '../support/natter.mjs';
import { freePort } from './nginx.mjs';

/** Labels by the names of series: what a running server answers at `/metrics`. */
export async function metrics() {
  const listen = `127.0.0.1:${await freePort()}`;
  const natter = await startNatter('sqlite', { NATTER_METRICS__LISTEN: listen });
  try {
    // Answers are counted by what they are, so one is needed.
    await fetch(new URL('login/', natter.url));
    const answer = await fetch(`http://${listen}/metrics`);
    assert.equal(answer.status, 200);
    const series = {};
    for (const [, name, labels = ''] of (await answer.text()).matchAll(/^(\w+)(?:\{(.*)\})? /gm)) {
      series[name] = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label);
    }
    return series;
  } finally {
    await natter.remove();
  }
}
