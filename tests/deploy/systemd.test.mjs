// The unit of examples/deploy, as systemd reads it, and what else of the example can be read without being run.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BINARY } from '../support/natter.mjs';
import { example, path, placed, run, temporaryFolder } from './examples.mjs';

/** By systemd’s count, in tenths; a service that nothing is taken from has 96. */
const MOST_EXPOSED = 15;
const UNIT = 'natter.service';
const BACKUP_UNIT = 'natter-backup.service';

async function unitIn(folder, name = UNIT) {
  const unit = join(folder, name);
  await writeFile(unit, placed(await example(`systemd/${name}`), { '/usr/local/bin/natter': BINARY }));
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

test('the nightly backup is understood, and has its unit beside it', async t => {
  const folder = await temporaryFolder(t);
  await unitIn(folder, BACKUP_UNIT);
  const timer = join(folder, 'natter-backup.timer');
  await writeFile(timer, await example('systemd/natter-backup.timer'));
  assert.equal(await run('systemd-analyze', ['verify', '--man=no', timer]), '');
  const [, calendar] = /^OnCalendar=(.+)$/m.exec(await readFile(timer, 'utf8'));
  assert.match(await run('systemd-analyze', ['calendar', calendar]), /Next elapse: .* 03:30:00/);
});

test('what the nightly backup runs makes one, replaces that of the day, and removes those of long ago', async t => {
  const folder = await temporaryFolder(t);
  const [data, backups, empty] = ['data', 'backups', 'empty'].map(name => join(folder, name));
  for (const name of [data, backups, empty]) await mkdir(name);
  const config = join(folder, 'natter.toml');
  await writeFile(config, `data_dir = "${data}"\n`);
  await run(BINARY, ['--config', config, 'migrate'], { env: {} });
  for (const [name, days] of [['2001-01-01', 16], ['2001-01-02', 13]]) {
    const file = join(backups, `${name}.backup`);
    await writeFile(file, '');
    const then = new Date(Date.now() - days * 86_400_000);
    await utimes(file, then, then);
  }
  const places = { '/usr/local/bin/natter': BINARY, '/etc/natter/natter.toml': config, '/var/backups/natter': backups };
  const unit = placed(await example(`systemd/${BACKUP_UNIT}`), { ...places, '%%': '%' });
  for (const _ of ['evening', 'morning']) {
    for (const [, line] of unit.matchAll(/^ExecStart(?:Post)?=(.+)$/gm)) await run('sh', ['-c', line], { cwd: empty });
  }
  const [old, today, ...others] = (await readdir(backups)).sort();
  assert.deepEqual([old, others], ['2001-01-02.backup', []]);
  assert.match(today, /^\d{4}-\d\d-\d\d\.backup$/);
  await run(BINARY, ['--config', config, 'restore', join(backups, today)], { env: {} });
});

for (const name of [UNIT, BACKUP_UNIT]) {
  test(`${name} may do little`, async t => {
    const unit = await unitIn(await temporaryFolder(t), name);
    await run('systemd-analyze', ['security', '--offline=yes', `--threshold=${MOST_EXPOSED}`, unit]);
  });
}

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
