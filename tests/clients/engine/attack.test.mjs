// Everything at once that strangers can throw at a server: each of it is refused or cut, and those who chat do not notice.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { within } from '../../support/deadline.mjs';
import { databases } from '../../support/database.mjs';
import { startNatter } from '../../support/natter.mjs';
import { newcomer } from '../../support/people.mjs';
import { byWebsocket, travellers } from '../clients.mjs';
import { visit } from '../visitor.mjs';

const SETTINGS = {
  NATTER_RATE_LIMITS: 'on',
  NATTER_HTTP__HEAD_TIMEOUT_SECONDS: 2,
  NATTER_HTTP__BODY_TIMEOUT_SECONDS: 2,
  NATTER_METRICS__LISTEN: '127.0.0.1:0',
};
/** Well above every deadline that is set, or is there by default, for what is half sent. */
const DEADLINE_MS = 60_000;
const MOST_MEMORY = 150 * 1024 * 1024;
const MEGABYTE = 1_000_000;
const PACE_MS = 50;

const WEBSOCKET = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const SOCKET = '/socket.io/?EIO=4&transport=websocket';
const DEEP = '['.repeat(100_000) + ']'.repeat(100_000);

for (const database of databases) {
  describe(`on ${database}`, () => {
    let natter, alice;
    before(async () => {
      natter = await startNatter(database, SETTINGS);
      alice = await newcomer(natter, 'alice');
    });
    after(() => natter?.remove());

    test('nobody who chats notices an attack, which costs little memory', async t => {
      const before = await memory(natter);
      const chat = new Chat(t, natter, alice);
      await chat.begins();

      const outcomes = await Promise.all([
        ...HALVES.flatMap(half => times(20, () => cut(natter, half))),
        ...SMUGGLED.map(request => answered(natter, request)),
        ...UPGRADES.map(request => answered(natter, request)),
        ...times(5, () => large(natter, 'POST /api/users/ HTTP/1.1', 'Content-Type: application/json')),
        ...times(5, () => large(natter, 'POST /login/ HTTP/1.1', 'Content-Type: application/x-www-form-urlencoded')),
        ...times(5, () => large(natter, 'POST /socket.io/?EIO=4&transport=polling HTTP/1.1', 'Content-Type: text/plain')),
        ...times(5, () => bomb(natter)),
        ...times(5, () => deep(natter)),
        ...times(10, () => flooded(natter, alice, '3')),
        ...times(10, () => flooded(natter, alice, '43999["x"]')),
        ...times(10, () => flooded(natter, alice, '42["typing",{"conversation":7}]')),
        ...times(10, () => flooded(natter, alice, '42["unheard-of",{"message":"x"}]')),
        ...times(10, () => flooded(natter, alice, '420["list-conversations",{}]')),
        ...times(5, () => flooded(natter, alice, `42["client-sent-message",{"message":${DEEP}}]`, 5)),
        ...times(5, () => flooded(natter, alice, '451-["client-sent-message",{"message":{"_placeholder":true,"num":7}}]', 3)),
        ...times(5, () => flooded(natter, alice, '4599999999-["client-sent-message",{"message":"x"}]', 3)),
        ...FRAMES.map(frame => cutByFrame(natter, frame)),
        ...times(300, () => idle(natter)),
      ]);
      for (const { what, status } of outcomes) {
        assert.ok(status === null || status < 500, `${what} was answered ${status}`);
      }
      await chat.ends();

      const peak = await memory(natter, 'VmHWM');
      assert.ok(peak - before < MOST_MEMORY, `${(peak - before) / MEGABYTE} MB more than at the start`);
      assert.doesNotMatch(natter.log, /panicked/);
    });

    test('nobody who chats notices that others send much by halves, which costs little memory', async t => {
      const before = await memory(natter);
      const chat = new Chat(t, natter, alice);
      await chat.begins();
      await Promise.all([
        ...times(300, () => halfMessage(natter)),
        ...times(300, () => halfAttached(natter)),
        ...times(300, () => halfBody(natter, 'POST /api/users/', 'application/json', 262_144)),
      ]);
      await chat.ends();
      const peak = await memory(natter, 'VmHWM');
      assert.ok(peak - before < MOST_MEMORY, `${(peak - before) / MEGABYTE} MB more than at the start`);
    });
  });
}

function times(count, make) {
  return Array.from({ length: count }, make);
}

/** In bytes: now, or at its peak. */
async function memory(natter, field = 'VmRSS') {
  const status = await readFile(`/proc/${natter.pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)[1]) * 1024;
}

/** People with several clients, one of whom says something all the time. */
class Chat {
  #people;
  #said = 0;
  #over = new AbortController();
  #talk;

  constructor(t, natter, { token }) {
    this.#people = [byWebsocket.at(-1), byWebsocket[0], travellers.find(({ version, way }) => version === '2.5.0' && way === 'polling')]
      .map(traveller => visit(t, natter, traveller));
    this.begins = async () => {
      await Promise.all(this.#people.map(person => person.authenticatesOnConnect(token)));
      this.#talk = this.#talks();
    };
  }

  async #talks() {
    while (!this.#over.signal.aborted) {
      this.#people[0].says(`${++this.#said}`);
      await pause(PACE_MS);
    }
  }

  /** Everybody has heard everything, once and in order, and nobody's connection has broken. */
  async ends() {
    this.#over.abort();
    await this.#talk;
    for (const person of this.#people) {
      await person.hears('server-got-message', this.#said, DEADLINE_MS);
      const seqs = person.heard('server-got-message').map(({ seq }) => seq);
      assert.deepEqual(seqs, seqs.map((_, n) => seqs[0] + n));
      assert.equal(person.heard('disconnect').length, 0);
    }
  }
}

function dial(natter) {
  const socket = connect(new URL(natter.url).port, '127.0.0.1');
  // What matters is that it ends; a reset is as good as a close.
  socket.on('error', () => {});
  socket.ended = new Promise(resolve => socket.on('close', resolve));
  return socket;
}

/** What comes back on a connection until the server closes it, and its first status, if there is one. */
async function untilClosed(what, socket) {
  let text = '';
  socket.on('data', data => { if (text.length < 100_000) text += data.toString('latin1'); });
  await within(DEADLINE_MS, `${what.slice(0, 60)} is cut`, socket.ended);
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
  return { what: what.slice(0, 60), status: status ? Number(status) : null, text };
}

const HALVES = [
  '',
  'GET /api/ HT',
  'GET /api/ HTTP/1.1\r\nHost: a.example\r\nX-Half: ',
  'POST /api/users/ HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"email":',
  'POST /api/users/ HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{"email":',
  'POST /login/ HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nusername=',
];

/** Half a request, and then nothing. */
function cut(natter, half) {
  const socket = dial(natter);
  socket.write(half);
  return untilClosed(`half: ${half}`, socket);
}

const HEAD = 'POST /api/users/ HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\nConnection: close\r\n';
const SMUGGLED = [
  `${HEAD}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n`,
  `${HEAD}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n`,
  `${HEAD}Content-Length: +2\r\n\r\n{}`,
  `${HEAD}Content-Length: -1\r\n\r\n{}`,
  `${HEAD}Content-Length: 2,3\r\n\r\n{}`,
  `${HEAD}Content-Length: 99999999999999999999\r\n\r\n{}`,
  `${HEAD}Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  `${HEAD}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{}\r\n0\r\n\r\n`,
  `${HEAD}Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n`,
  `${HEAD}Transfer-Encoding : chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  `${HEAD}X-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\n{}`,
  `${HEAD}${times(200, () => 'X-Many: 1\r\n').join('')}\r\n`,
  `${HEAD}X-Long: ${'x'.repeat(70_000)}\r\n\r\n`,
  'GET /api/ HTTP/1.1\r\nHost: a\x00b\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
];

const UPGRADES = [
  `GET ${SOCKET} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n`,
  `GET ${SOCKET} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n${WEBSOCKET.replace('13', '12')}\r\n`,
  `GET ${SOCKET} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n${WEBSOCKET.replace('dGhl', '!!!!')}\r\n`,
  `POST ${SOCKET} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n${WEBSOCKET}\r\n`,
  `GET ${SOCKET}&sid=unknown HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n${WEBSOCKET}\r\n`,
  `GET /socket.io/?EIO=9&transport=carrier-pigeon HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n${WEBSOCKET}\r\n`,
];

/** A request that is answered with an error at most, and never taken for two. */
async function answered(natter, request) {
  const socket = dial(natter);
  socket.end(request, 'latin1');
  const outcome = await untilClosed(request, socket);
  assert.doesNotMatch(outcome.text, /smuggled/);
  assert.ok(outcome.status === null || outcome.status >= 400, `${outcome.what} was answered ${outcome.status}`);
  return outcome;
}

/** A body of 20 MB, of which no more is taken than is allowed. */
async function large(natter, line, type) {
  const socket = dial(natter);
  socket.write(`${line}\r\nHost: a.example\r\n${type}\r\nConnection: close\r\nContent-Length: ${20 * MEGABYTE}\r\n\r\n`);
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const fill = () => { while (socket.writable && socket.write(chunk)) { /* until its buffer is full */ } };
  socket.on('drain', fill);
  fill();
  const outcome = await untilClosed(line, socket);
  assert.ok(outcome.status === null || outcome.status >= 400, `${line} was answered ${outcome.status}`);
  return outcome;
}

/** 200 MB of blanks in 200 kB. */
const BOMB = gzipSync(Buffer.alloc(200 * MEGABYTE, ' '), { level: 9 });

async function bomb(natter) {
  const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' };
  const answer = await fetch(new URL('api/users/', natter.url), { method: 'POST', headers, body: BOMB });
  await answer.text();
  assert.equal(answer.status, 400);
  return { what: 'a gzip bomb', status: answer.status };
}

async function deep(natter) {
  const answer = await fetch(new URL('api/users/', natter.url), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: DEEP });
  assert.equal(answer.status, 400);
  assert.match(await answer.text(), /JSON parse error/);
  return { what: 'deep JSON', status: answer.status };
}

/** A websocket whose client has authenticated, and sends one packet again and again. */
async function flooded(natter, { token }, packet, count = 10_000) {
  const what = `a flood of ${packet.slice(0, 40)}`;
  const socket = await websocket(natter);
  socket.write(frame('40'));
  socket.write(frame(`42["authentication",{"token":"${token}"}]`));
  const one = frame(packet);
  for (let left = count; left > 0 && socket.writable; left -= 100) {
    const full = !socket.write(Buffer.concat(times(Math.min(left, 100), () => one)));
    if (full) await Promise.race([new Promise(resolve => socket.once('drain', resolve)), socket.ended]);
  }
  socket.end();
  await within(DEADLINE_MS, `${what} is over`, socket.ended);
  return { what, status: null };
}

/** Frames that RFC 6455 does not allow, or that are too large. */
const FRAMES = [
  Buffer.from([0x81, 0x02, 0x34, 0x30]),
  Buffer.from([0x83, 0x80, 0, 0, 0, 0]),
  Buffer.from([0xf1, 0x80, 0, 0, 0, 0]),
  Buffer.from([0x89, 0xfe, 0, 126, 0, 0, 0, 0]),
  Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
  Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
  Buffer.from([0x80, 0x81, 0, 0, 0, 0, 0x34]),
  // A message in so many fragments that it is too large in the end.
  Buffer.concat([Buffer.from([0x01, 0xfe, 0xff, 0xff, 0, 0, 0, 0]), ...times(40, () => Buffer.concat([Buffer.alloc(0xffff, 'x'), Buffer.from([0x00, 0xfe, 0xff, 0xff, 0, 0, 0, 0])]))]),
];

async function cutByFrame(natter, bytes) {
  const socket = await websocket(natter);
  socket.write(bytes);
  return untilClosed(`the frame ${bytes.subarray(0, 8).toString('hex')}`, socket);
}

/** A socket that says nothing, until its time is up. */
async function idle(natter) {
  const socket = await websocket(natter);
  socket.write(frame('40'));
  return untilClosed('an idle socket', socket);
}

/** A message of a megabyte, but for its end. */
async function halfMessage(natter) {
  const socket = await websocket(natter);
  socket.write(frame('4'.repeat(MEGABYTE)).subarray(0, MEGABYTE - 1000));
  return untilClosed('a half message', socket);
}

/** An event with two attachments, but for the second. */
async function halfAttached(natter) {
  const socket = await websocket(natter);
  socket.write(frame('40'));
  socket.write(frame('452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'));
  const attachment = frame('x'.repeat(MEGABYTE - 1));
  attachment[0] = 0x82;
  socket.write(attachment);
  return untilClosed('a half attached event', socket);
}

async function halfBody(natter, line, type, length) {
  const socket = dial(natter);
  socket.write(`${line} HTTP/1.1\r\nHost: a.example\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`);
  socket.write('x'.repeat(length - 1));
  return untilClosed(`half of ${line}`, socket);
}

/** A raw connection that has been upgraded. */
async function websocket(natter) {
  const socket = dial(natter);
  socket.write(`GET ${SOCKET} HTTP/1.1\r\nHost: a.example\r\n${WEBSOCKET}\r\n`);
  const [head] = await within(DEADLINE_MS, 'an upgrade', once(socket, 'data'));
  assert.match(head.toString('latin1'), /^HTTP\/1\.1 101 /);
  socket.resume();
  return socket;
}

/** A text frame of a client, masked by zeros. */
function frame(text) {
  const bytes = Buffer.from(text);
  const length = bytes.length < 126 ? [0x80 | bytes.length]
    : bytes.length < 0x10000 ? [0xfe, bytes.length >> 8, bytes.length & 0xff]
    : [0xff, 0, 0, 0, 0, bytes.length >>> 24, (bytes.length >> 16) & 0xff, (bytes.length >> 8) & 0xff, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), bytes]);
}
