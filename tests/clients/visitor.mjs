import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { deferred, within } from '../support/deadline.mjs';

const SERVER_EVENTS = ['connect', 'news', 'authenticated', 'unauthorized', 'history-gap', 'server-got-message', 'disconnect'];
const DEADLINE_MS = 10_000;

/** A visitor who leaves when the test `t` ends, however it ends. */
export function visit(t, natter, traveller, options) {
  const visitor = new Visitor(natter, traveller, options);
  t.after(() => visitor.leave());
  return visitor;
}

/** A socket of one client that remembers all it heard, from its first moment on. */
export class Visitor {
  /** `[event, payload]` in the order of arrival. */
  log = [];
  reconnectAttempts = 0;
  #counts = Object.fromEntries(SERVER_EVENTS.map(event => [event, 0]));
  #arrival = new EventEmitter();

  constructor(natter, { connect, transports }, options = {}) {
    this.transports = transports;
    this.socket = connect(natter.url, { transports, forceNew: true, timeout: DEADLINE_MS, ...options });
    for (const event of SERVER_EVENTS) this.socket.on(event, (...heard) => this.#note(event, heard));
    // 1.x and 2.x tell it on the socket too, 3.x and 4.x only here.
    this.socket.io.on('reconnect_attempt', () => this.reconnectAttempts++);
  }

  #note(event, [payload, acknowledge]) {
    if (typeof acknowledge === 'function') this.acknowledge = acknowledge;
    this.log.push([event, payload]);
    this.#counts[event]++;
    this.#arrival.emit('any');
  }

  /** The payloads of `event` so far. */
  heard(event) {
    return this.log.filter(([name]) => name === event).map(([, payload]) => payload);
  }

  /** The names of the events so far. */
  get events() {
    return this.log.map(([event]) => event);
  }

  /** The payload of the `nth` `event`, waiting for it if need be. */
  async hears(event, nth = 1, deadline = DEADLINE_MS) {
    const heard = async () => {
      while (this.#counts[event] < nth) await once(this.#arrival, 'any');
      return this.heard(event)[nth - 1];
    };
    return within(deadline, `${event}, time ${nth}, after ${this.events.slice(-5)}`, heard());
  }

  /** What was said since, as `email: message`, once there are `count` of them. */
  async hearsMessages(count) {
    await this.hears('server-got-message', count);
    return this.heard('server-got-message').map(({ message }) => message);
  }

  /** Authenticates like the old README: on every `connect`. */
  authenticatesOnConnect(token) {
    this.socket.on('connect', () => this.socket.emit('authentication', { token }));
    return this.hears('authenticated');
  }

  authenticates(token, more = {}) {
    this.socket.emit('authentication', { token, ...more });
  }

  says(message, more = {}) {
    this.socket.emit('client-sent-message', { message, ...more });
  }

  /** Says it and asserts that it was stored: its number. */
  async saysSafely(message, more = {}) {
    const acknowledged = deferred();
    this.socket.emit('client-sent-message', { message, ...more }, acknowledged.resolve);
    const answer = await within(DEADLINE_MS, 'an acknowledgement', acknowledged.promise);
    assert.equal(answer.ok, true, JSON.stringify(answer));
    return answer.seq;
  }

  /** Waits until the connection travels the way that the client finally wants. */
  async hasSettled() {
    const { engine } = this.socket.io;
    const wanted = this.transports.at(-1);
    if (engine.transport.name === wanted) return;
    await within(DEADLINE_MS, `an upgrade to ${wanted}`, new Promise(resolve => engine.once('upgrade', resolve)));
    assert.equal(engine.transport.name, wanted);
  }

  leave() {
    this.socket.disconnect();
  }
}
