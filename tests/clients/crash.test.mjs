// The server ends in the middle of its work, again and again, and nobody can tell from what they heard.

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { within } from '../support/deadline.mjs';
import { history } from '../support/people.mjs';
import { travellers } from './clients.mjs';
import { assertSameList } from './long_lists.mjs';
import { onEachDatabase } from './stage.mjs';
import { visit } from './visitor.mjs';

const ENDS = [
  { times: 20, name: 'crashes', end: natter => natter.kill() },
  { times: 5, name: 'orderly restarts', end: natter => natter.stop() },
];
const TICK_MS = 10;
const MESSAGES_A_TICK = 5;
const DEADLINE_MS = 30_000;
const PERSISTENT = { reconnectionDelay: 100, reconnectionDelayMax: 200 };
const LISTENERS = ['1.4.5 by websocket', '2.5.0 by polling', '4.8 by polling, then websocket'];

onEachDatabase(stage => {
  for (const { times, name, end } of ENDS) {
    test(`${times} ${name} at 500 messages a second lose, double and reorder nothing`, async t => {
      const { natter, alice, bob } = stage;
      const first = ((await history(natter, bob)).at(-1)?.seq ?? 0) + 1;
      const speaker = new Speaker(t, natter, traveller('4.8 by websocket'), alice, name);
      const listeners = LISTENERS.map(client => new Listener(t, natter, traveller(client), bob, first));
      const moments = [speaker.said, speaker.acknowledged, listeners[0].heard];
      let next = first;
      for (let time = 0; time < times; time++) {
        await moments[time % moments.length].grows(200 + Math.random() * 600);
        await end(natter);
        const witnessed = [speaker.acknowledged, ...listeners.map(({ heard }) => heard)].map(record => new Map(record.messages));
        await natter.start();
        const stored = await history(natter, bob, next - 1);
        assertNumbered(stored, next);
        for (const record of witnessed) assertHolds(stored, record, next);
        next += stored.length;
      }
      await speaker.finishes();
      const stored = await history(natter, bob, first - 1);
      assertNumbered(stored, first);
      assertHolds(stored, speaker.acknowledged.messages, first);
      assertSameList(stored.map(({ message }) => message).sort(), [...speaker.said.messages.values()].sort(), 'the history and what was said');
      for (const listener of listeners) {
        await listener.heard.reaches(stored.length);
        assertSameList([...listener.heard.messages.values()], stored.map(({ message }) => message), 'what a listener heard');
        assert.deepEqual(listener.gaps, []);
      }
    });
  }
});

function traveller(name) {
  return travellers.find(traveller => traveller.name === `socket.io-client ${name}`);
}

function assertNumbered(stored, first) {
  assertSameList(stored.map(({ seq }) => seq), stored.map((_, n) => first + n), 'the numbers in the history');
}

/** That what somebody witnessed from number `first` on is in the history. */
function assertHolds(stored, witnessed, first) {
  for (const [seq, message] of witnessed) {
    if (seq >= first) assert.equal(stored[seq - first]?.message, message, `message ${seq}`);
  }
}

/** Messages by number, and the wait for more of them. */
class Record {
  messages = new Map();
  #growth = new EventEmitter();

  add(number, message) {
    this.messages.set(number, message);
    this.#growth.emit('any');
  }

  grows(by) {
    return this.reaches(this.messages.size + Math.round(by));
  }

  reaches(size) {
    const reached = async () => { while (this.messages.size < size) await once(this.#growth, 'any'); };
    return within(DEADLINE_MS, `${size} messages, there are ${this.messages.size}`, reached());
  }
}

/** Says 500 messages a second, and again with the same clientOffset what was not stored when the connection broke. */
class Speaker {
  said = new Record();
  acknowledged = new Record();
  #unacknowledged = new Map();
  #visitor;
  #email;
  #occasion;
  #ready = false;
  #finishing = false;

  constructor(t, natter, traveller, { email, token }, occasion) {
    this.#email = email;
    this.#occasion = occasion;
    this.#visitor = visit(t, natter, traveller, PERSISTENT);
    this.#visitor.socket.on('connect', () => this.#visitor.authenticates(token));
    this.#visitor.socket.on('authenticated', () => {
      this.#ready = true;
      for (const number of this.#unacknowledged.keys()) this.#say(number);
    });
    this.#visitor.socket.on('disconnect', () => { this.#ready = false; });
    const pace = setInterval(() => this.#tick(), TICK_MS);
    t.after(() => clearInterval(pace));
  }

  /** Says no more, and waits until all is acknowledged. */
  async finishes() {
    this.#finishing = true;
    await this.acknowledged.reaches(this.said.messages.size);
  }

  #tick() {
    for (let n = 0; n < MESSAGES_A_TICK && this.#ready && !this.#finishing; n++) {
      const number = this.said.messages.size + 1;
      this.#unacknowledged.set(number, `${this.#email}: ${number}`);
      this.#say(number);
      this.said.add(number, `${this.#email}: ${number}`);
    }
  }

  #say(number) {
    this.#visitor.socket.emit('client-sent-message', { message: `${number}`, clientOffset: `${this.#occasion} ${number}` }, ({ ok, seq, error }) => {
      // Refused by a server on its way out, it is said again to the next one.
      if (!ok) return assert.equal(error.code, 'stopping');
      assert.ok(!this.acknowledged.messages.has(seq), `number ${seq} was acknowledged twice`);
      this.acknowledged.add(seq, this.#unacknowledged.get(number));
      this.#unacknowledged.delete(number);
    });
  }
}

/** Comes back after every crash with the last number it heard. */
class Listener {
  heard = new Record();
  gaps = [];
  #last;

  constructor(t, natter, traveller, { token }, first) {
    this.#last = first - 1;
    const visitor = visit(t, natter, traveller, PERSISTENT);
    visitor.socket.on('connect', () => visitor.authenticates(token, { serverOffset: this.#last }));
    visitor.socket.on('server-got-message', ({ seq, message }) => {
      if (seq !== this.#last + 1) this.gaps.push(`${seq} after ${this.#last}`);
      this.#last = seq;
      this.heard.add(seq, message);
    });
  }
}
