// python-socketio on every transport hears from the server of examples/conformance what it said to it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startConformance } from '../../support/conformance.mjs';
import { conversations } from '../../support/conversations.mjs';
import { within } from '../../support/deadline.mjs';
import { transports } from '../clients.mjs';

const DEADLINE_MS = 30_000;
const TALKER = fileURLToPath(new URL('talker.py', import.meta.url));

const CLIENTS = [
  { version: '4.6.1', python: process.env.NATTER_TEST_OLD_PYTHON },
  { version: '5.x', python: process.env.NATTER_TEST_PYTHON },
];

let server;
before(async () => { server = await startConformance(); });
after(() => server?.end());

for (const { version, python } of CLIENTS) {
  for (const { way, transports: names } of transports) {
    test(`python-socketio ${version} by ${way}`, async t => {
      assert.ok(python, 'run the tests with tests/run, or name the Python that has the library');
      const talker = talk(t, python, names);
      for (const { name, kind, said } of conversations) {
        await t.test(`python-socketio ${version} by ${way}: ${name}`, async () => {
          const error = await within(DEADLINE_MS, name, talker({ kind, said: said(asBase64) }));
          assert.equal(error, null);
        });
      }
    });
  }
}

/** A program that holds conversations until the test `t` ends: a function from a conversation to its error. */
function talk(t, python, names) {
  const program = spawn(python, [TALKER, server.url, ...names], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => program.kill('SIGKILL'));
  const answers = createInterface(program.stdout);
  return async conversation => {
    program.stdin.write(`${JSON.stringify(conversation)}\n`);
    const [line] = await once(answers, 'line');
    return JSON.parse(line);
  };
}

function asBase64(bytes) {
  return { base64: Buffer.from(bytes).toString('base64') };
}
