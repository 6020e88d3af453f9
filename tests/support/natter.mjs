import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { within } from './deadline.mjs';
import { emptyDatabase } from './database.mjs';

const BINARY = process.env.NATTER_TEST_BINARY ?? fileURLToPath(new URL('../../target/debug/natter', import.meta.url));
const START_MS = 30_000;
const STOP_MS = 15_000;
const LOG_LINES = 100;

/** A server of the built binary, on a free port, with an empty database and data folder of its own. */
export async function startNatter(database = 'sqlite') {
  const folder = await mkdtemp(join(tmpdir(), 'natter-test-'));
  try {
    const natter = new Natter(folder, await emptyDatabase(database, folder));
    await natter.start();
    return natter;
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
}

class Natter {
  #folder;
  #database;
  #process;
  #port = 0;
  #log;

  constructor(folder, database) {
    this.#folder = folder;
    this.#database = database;
    // The last resort when a test file dies: its server must not outlive it.
    process.on('exit', () => this.#process?.kill('SIGKILL'));
  }

  /** Where the chat page is; sockets connect to the same address. */
  get url() {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** Starts it, or starts it again: on the same port and data, so that clients find it where it was. */
  async start() {
    const { PATH, HOME, RUST_LOG, RUST_BACKTRACE } = process.env;
    this.#log = [];
    this.#process = spawn(BINARY, [], {
      // Nothing else of the environment gets in: a developer's settings would change what is tested.
      env: {
        PATH, HOME, ...(RUST_LOG && { RUST_LOG }), ...(RUST_BACKTRACE && { RUST_BACKTRACE }),
        HOST: '127.0.0.1', PORT: this.#port, DATABASE_URL: this.#database.url, DATA_DIR: this.#folder, NATTER_RATE_LIMITS: 'off',
      },
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exit = once(this.#process, 'exit').then(([code, signal]) => { throw new Error(`natter ended (${signal ?? code}):\n${this.log}`); });
    exit.catch(() => {});
    const listening = new Promise(resolve => {
      createInterface(this.#process.stdout).on('line', line => {
        const port = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(line)?.[1];
        if (port) resolve(Number(port));
      });
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) createInterface(stream).on('line', line => this.#note(line));
    this.#port = await within(START_MS, 'natter prints its address', Promise.race([listening, exit]));
  }

  /** What it printed lately, since it was started. */
  get log() {
    return this.#log.join('\n');
  }

  #note(line) {
    if (this.#log.push(line) > LOG_LINES) this.#log.shift();
  }

  get #ended() {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Ends it as a crash would. */
  async kill() {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await within(STOP_MS, 'natter ends when killed', ended);
  }

  /** Ends it as an operator would. */
  async stop() {
    if (this.#ended) throw new Error(`natter had ended by itself:\n${this.log}`);
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    const [code] = await within(STOP_MS, 'natter ends when told to', ended);
    if (code !== 0) throw new Error(`natter stopped with ${code}:\n${this.log}`);
  }

  /** Stops it for good and removes what it left. */
  async remove() {
    try {
      await this.stop();
    } finally {
      this.#process.kill('SIGKILL');
      await this.#database.drop();
      await rm(this.#folder, { recursive: true, force: true });
    }
  }
}
