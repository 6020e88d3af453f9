import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { within } from './deadline.mjs';

const START_MS = 30_000;
const STOP_MS = 15_000;
const LOG_LINES = 100;

const programs = new Set();
// The last resort when a test file dies: its servers must not outlive it.
process.on('exit', () => programs.forEach(program => program.kill('SIGKILL')));

/** A server program of ours that prints its address once it listens. */
export class Program {
  #name;
  #command;
  #process;
  #log;
  #kept;
  #isStopped;
  #lines = new EventEmitter();

  /** `wrapper` is the command line, if any, of a program that becomes this one. */
  constructor(name, binary, wrapper = []) {
    this.#name = name;
    this.#command = [...wrapper, binary];
  }

  /** Starts it, or starts it again: the port of 127.0.0.1 that it listens on. */
  async start(env, options = {}) {
    const { PATH, HOME, RUST_LOG, RUST_BACKTRACE } = process.env;
    this.#log = [];
    this.#isStopped = false;
    this.#process = spawn(this.#command[0], this.#command.slice(1), {
      // Nothing else of the environment gets in: a developer's settings would change what is tested.
      env: { PATH, HOME, ...(RUST_LOG && { RUST_LOG }), ...(RUST_BACKTRACE && { RUST_BACKTRACE }), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
    const started = this.#process;
    programs.add(started);
    started.once('exit', () => programs.delete(started));
    this.#keepLog(process.env.NATTER_TEST_LOGS);
    const exit = once(this.#process, 'exit').then(([code, signal]) => {
      throw new Error(`${this.#name} ended (${signal ?? code}):\n${this.log}`);
    });
    exit.catch(() => {});
    const listening = new Promise(resolve => {
      createInterface(this.#process.stdout).on('line', line => {
        const port = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(line)?.[1];
        if (port) resolve(Number(port));
      });
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) createInterface(stream).on('line', line => this.#note(line));
    return within(START_MS, `${this.#name} prints its address`, Promise.race([listening, exit]));
  }

  get pid() {
    return this.#process.pid;
  }

  /** Keeps all that it logs in `folder`, for those who look for what must not be there. */
  #keepLog(folder) {
    if (folder) this.#kept = pipeline(this.#process.stderr, createWriteStream(join(folder, `${this.#name}-${this.pid}.log`)));
  }

  /** What it printed lately, since it was started. */
  get log() {
    return this.#log.join('\n');
  }

  /** Waits until it prints something more. */
  async nextLine() {
    await once(this.#lines, 'line');
  }

  #note(line) {
    if (this.#log.push(line) > LOG_LINES) this.#log.shift();
    this.#lines.emit('line');
  }

  get #ended() {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Ends it as a crash would, if it has not ended yet. */
  async kill() {
    if (this.#ended) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await within(STOP_MS, `${this.#name} ends when killed`, ended);
  }

  /** Ends it as an operator would, if it has not been ended so. */
  async stop() {
    if (this.#isStopped) return;
    if (this.#ended) throw new Error(`${this.#name} had ended by itself:\n${this.log}`);
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    const [code] = await within(STOP_MS, `${this.#name} ends when told to`, ended);
    if (code !== 0) throw new Error(`${this.#name} stopped with ${code}:\n${this.log}`);
    this.#isStopped = true;
    await this.#kept;
  }
}
