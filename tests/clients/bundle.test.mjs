// Pages load the client from the server, as they did from Node's. tests/browser shows that what they load works.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startNatter } from '../support/natter.mjs';

const BUNDLES = ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js', 'socket.io.msgpack.min.js'];

let natter;
before(async () => { natter = await startNatter(); });
after(() => natter?.remove());

const ask = (file, headers = {}) => fetch(new URL(`socket.io/${file}`, natter.url), { headers });

for (const bundle of BUNDLES) {
  test(`${bundle} is served as Node’s server serves it`, async () => {
    const answer = await ask(bundle, { 'Accept-Encoding': 'identity' });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('Content-Type'), 'application/javascript; charset=utf-8');
    assert.equal(answer.headers.get('Cache-Control'), 'public, max-age=0');
    const version = /^\/\*!\s*\* Socket\.IO v(4\.\d+\.\d+)\s/.exec(await answer.text())?.[1];
    assert.equal(answer.headers.get('ETag'), `"${version}"`);
  });

  test(`${bundle} is not sent again to who has it`, async () => {
    const etag = (await ask(bundle)).headers.get('ETag');
    for (const known of [etag, `W/${etag}`]) {
      const again = await ask(bundle, { 'If-None-Match': known });
      assert.deepEqual([again.status, await again.text()], [304, '']);
    }
    assert.equal((await ask(bundle, { 'If-None-Match': '"1.4.5"' })).status, 200);
  });

  test(`${bundle} travels compressed to who understands it`, async () => {
    const [plain, packed] = await Promise.all(['identity', 'gzip'].map(encoding => ask(bundle, { 'Accept-Encoding': encoding })));
    assert.equal(plain.headers.get('Content-Encoding'), null);
    assert.equal(packed.headers.get('Content-Encoding'), 'gzip');
    assert.equal(await packed.text(), await plain.text());
  });

  test(`${bundle} names a source map that is there`, async () => {
    const map = /\/\/# sourceMappingURL=(\S+)\s*$/.exec(await (await ask(bundle)).text())?.[1];
    assert.equal(map, `${bundle}.map`);
    const answer = await ask(map);
    assert.equal(answer.headers.get('Content-Type'), 'application/json; charset=utf-8');
    assert.equal((await answer.json()).version, 3);
  });
}
