// The programs in examples/ do what their README says, started as it says.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { within } from '../support/deadline.mjs';
import { startNatter } from '../support/natter.mjs';
import { newcomer } from '../support/people.mjs';
import { byWebsocket } from './clients.mjs';
import { visit } from './visitor.mjs';

const DEADLINE_MS = 60_000;

let natter, bob;
before(async () => {
  natter = await startNatter();
  bob = await newcomer(natter, 'bob');
});
after(() => natter?.remove());

const npm = ['npm', 'start', '--silent', '--'];
const examples = {
  'javascript-1.x': npm,
  'javascript-2.x': npm,
  'javascript-4.x': npm,
  // A Python that has the requirements; tests/run makes one.
  python: [process.env.NATTER_TEST_PYTHON ?? '.venv/bin/python', 'chat.py'],
};

for (const [example, command] of Object.entries(examples)) {
  test(`${example} signs up, says what is typed, prints what is said, and ends with its input`, async t => {
    const listener = visit(t, natter, byWebsocket[0]);
    await listener.authenticatesOnConnect(bob.token);
    for (const time of ['first', 'second']) {
      const said = listener.heard('server-got-message').length;
      const program = start(t, example, ...command, `${example}@example.org`, 'qwerty');
      program.stdin.write(`hello for the ${time} time\n`);
      await listener.hears('server-got-message', said + 1, DEADLINE_MS);
      listener.says(`welcome for the ${time} time`);
      const printed = await within(DEADLINE_MS, 'both lines are printed', program.prints(2));
      assert.deepEqual(printed, [`${example}@example.org: hello for the ${time} time`, `${bob.email}: welcome for the ${time} time`]);
      program.stdin.end();
      assert.deepEqual(await within(DEADLINE_MS, 'the program ends', program.ended), [0, null]);
    }
  });
}

/** The example as a person starts it; `prints` resolves to that many lines of its output. */
function start(t, example, program, ...args) {
  const child = spawn(program, args, {
    cwd: fileURLToPath(new URL(`../../examples/${example}`, import.meta.url)),
    // The address without its last slash, as people write it.
    env: { ...process.env, SERVER_URL: natter.url.slice(0, -1) },
    stdio: ['pipe', 'pipe', 'inherit'],
    // npm starts a shell that starts Node.js: only as a group do all of them end.
    detached: true,
  });
  const ended = once(child, 'exit');
  t.after(() => { if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid); });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const prints = async count => {
    const printed = [];
    while (printed.length < count) printed.push((await lines.next()).value);
    return printed;
  };
  return { stdin: child.stdin, ended, prints };
}
