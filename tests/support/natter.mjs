import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emptyDatabase } from './database.mjs';
import { Program } from './program.mjs';

export const BINARY = process.env.NATTER_TEST_BINARY ?? fileURLToPath(new URL('../../target/debug/natter', import.meta.url));

/**
 * A server of the built binary, on a free port, with an empty database and data folder of its own, and `settings` by their
 * environment names. `wrap` makes the command line that runs it, if it is to be run in some way.
 */
export async function startNatter(database = 'sqlite', settings = {}, wrap = () => []) {
  const natter = await prepareNatter(database, settings, wrap);
  try {
    await natter.start();
    return natter;
  } catch (error) {
    await natter.remove();
    throw error;
  }
}

/** The same, to be started later. */
export async function prepareNatter(database, settings = {}, wrap = () => []) {
  const folder = await mkdtemp(join(tmpdir(), 'natter-test-'));
  return new Natter(folder, await emptyDatabase(database, folder), settings, wrap(folder));
}

class Natter {
  #folder;
  #database;
  #settings;
  #program;
  #port = 0;

  constructor(folder, database, settings, wrapper) {
    this.#program = new Program('natter', BINARY, wrapper);
    this.#folder = folder;
    this.#database = database;
    this.#settings = settings;
  }

  /** Where the chat page is, which is a proxy by `PUBLIC_URL`; sockets connect to the same address. */
  get url() {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** Starts it, or starts it again: on the same port and data, so that clients find it where it was. */
  async start() {
    const settings = {
      HOST: '127.0.0.1', PORT: this.#port, DATABASE_URL: this.#database.url, DATA_DIR: this.#folder, NATTER_RATE_LIMITS: 'off',
      ...this.#settings,
    };
    this.#port = await this.#program.start(settings, { cwd: this.#folder });
  }

  get folder() {
    return this.#folder;
  }

  get pid() {
    return this.#program.pid;
  }

  /** What it printed lately, since it was started. */
  get log() {
    return this.#program.log;
  }

  /** Waits until it prints something more. */
  nextLine() {
    return this.#program.nextLine();
  }

  /** Ends it as a crash would. */
  kill() {
    return this.#program.kill();
  }

  /** Ends it as an operator would. */
  stop() {
    return this.#program.stop();
  }

  /** Stops it for good and removes what it left. */
  async remove() {
    try {
      await this.stop();
    } finally {
      await this.kill();
      await this.#database.drop();
      await rm(this.#folder, { recursive: true, force: true });
    }
  }
}
