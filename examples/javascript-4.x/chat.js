// A terminal chat that loses and doubles nothing, whatever happens to the connection: npm start -- alice@example.org qwerty

import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

const server = process.env.SERVER_URL ?? 'http://localhost:3000';
const [email, password] = process.argv.slice(2);

const token = await signIn();
let lastSeen;

const socket = io(server, {
  // Called for every connection: what was missed is sent again, from the last number seen on.
  auth: authenticate => authenticate({ token, serverOffset: lastSeen }),
  // What is not acknowledged in time is said again, and the clientOffset tells the server that it is the same message.
  ackTimeout: 10_000,
  retries: 3,
});

socket.on('unauthorized', ({ message }) => console.error(message));
socket.on('server-got-message', ({ message, seq }) => {
  lastSeen = seq;
  console.log(message);
});
// What is too much to be sent again can be read: GET /api/messages/?after=…
socket.on('history-gap', ({ after, next }) => {
  const isAhead = next <= after;
  console.error(isAhead ? 'the server was restored from a backup' : `messages ${after + 1} to ${next - 1} are in the history`);
  lastSeen = next - 1;
});

socket.once('authenticated', async () => {
  for await (const message of createInterface({ input: process.stdin })) await say(message);
  socket.disconnect();
});

async function say(message) {
  const { ok, error } = await socket.emitWithAck('client-sent-message', { message, clientOffset: randomUUID() });
  if (!ok) console.error(`not sent: ${error.message}`);
}

async function signIn() {
  // Refused with 400 when the account is there already, and then signing in is all that is needed.
  await post('/api/users/', { email, password });
  const answer = await post('/api/auth/signin/', { username: email, password });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.headers.get('X-Token');
}

function post(path, body) {
  return fetch(new URL(path, server), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
}
