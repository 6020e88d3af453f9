// The unit of examples/deploy, as systemd reads it, and what else of the example can be read without being run.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BINARY } from '../support/natter.mjs';
import { example, path, placed, run, temporaryFolder } from './examples.mjs';

/** By systemd’s count, in tenths; a service that nothing is taken from has 96. */
const MOST_EXPOSED = 15;
const UNIT = 'natter.service';

async function unitIn(folder) {
  const unit = join(folder, UNIT);
  await writeFile(unit, placed(await example(`systemd/${UNIT}`), { '/usr/local/bin/natter': BINARY }));
  return unit;
}

test('the unit is understood, alone and with what is for PostgreSQL', async t => {
  const folder = await temporaryFolder(t);
  const unit = await unitIn(folder);
  assert.equal(await run('systemd-analyze', ['verify', '--man=no', unit]), '');
  await mkdir(`${unit}.d`);
  await writeFile(`${unit}.d/postgresql.conf`, await example('systemd/postgresql.conf'));
  assert.equal(await run('systemd-analyze', ['verify', '--man=no', unit]), '');
  await writeFile(`${unit}.d/wrong.conf`, '[Service]\nLoadCredentials=secret:/etc/natter/secret\n');
  assert.match(await run('systemd-analyze', ['verify', '--man=no', unit]), /Unknown key.* 'LoadCredentials'/, 'it is read');
});

test('the unit may do little', async t => {
  const unit = await unitIn(await temporaryFolder(t));
  await run('systemd-analyze', ['security', '--offline=yes', `--threshold=${MOST_EXPOSED}`, unit]);
});

test('the settings are valid, and their folder is what the unit makes', async t => {
  const folder = await temporaryFolder(t);
  const config = path('examples/deploy/natter.toml');
  assert.equal(await run(BINARY, ['--config', config, 'config', 'check'], { env: {} }), 'The settings are valid.\n');
  const shown = await run(BINARY, ['--config', config, 'config', 'show'], { env: {} });
  assert.match(shown, /^data_dir = "\/var\/lib\/natter"$/m);
  const unit = await example(`systemd/${UNIT}`);
  assert.match(unit, /^StateDirectory=natter$/m);
  // What the unit runs are commands of this program.
  for (const [, words] of unit.matchAll(/^Exec\w+=\/usr\/local\/bin\/natter (.+)$/gm)) {
    await run(BINARY, [...words.replace('/etc/natter/natter.toml', config).split(' '), '--help'], { env: {}, cwd: folder });
  }
});

test('the image is built by the Rust that the program needs, and asks by a command that it has', async () => {
  const file = await example('Containerfile');
  const [, needed] = /^rust-version = "(.+)"$/m.exec(await readFile(path('Cargo.toml'), 'utf8'));
  assert.ok(file.includes(`FROM docker.io/library/rust:${needed}-`), needed);
  const [, command] = /^HEALTHCHECK .* CMD (\[.*\])$/m.exec(file);
  const [program, ...words] = JSON.parse(command);
  assert.equal(program, 'natter');
  await run(BINARY, [...words, '--help'], { env: {} });
});
