import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Where a file of the repository is. */
export function path(name) {
  return fileURLToPath(new URL(`../../${name}`, import.meta.url));
}

/** The text of a file of examples/deploy. */
export function example(name) {
  return readFile(path(`examples/deploy/${name}`), 'utf8');
}

/** The text with other places in it; every one of them must be there. */
export function placed(text, places) {
  return Object.entries(places).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`there is no ${from} any more`);
    return text.replaceAll(from, to);
  }, text);
}

/** A folder that is gone after the test `t`. */
export async function temporaryFolder(t) {
  const folder = await mkdtemp(join(tmpdir(), 'natter-test-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Runs a program to its end: what it has said. Fails where it fails. */
export async function run(program, args, options) {
  const { stdout, stderr } = await promisify(execFile)(program, args, options);
  return stdout + stderr;
}
