// A terminal chat that is told when its messages are stored: npm start -- alice@example.org qwerty

const readline = require('readline');
const io = require('socket.io-client');

const server = process.env.SERVER_URL || 'http://localhost:3000';
const [email, password] = process.argv.slice(2);

signIn().then(chat).catch(error => {
  console.error(error.message);
  process.exit(1);
});

function chat(token) {
  const socket = io(server);
  let lastSeen;

  // After a break of the connection, what was missed is sent again, from the last number seen on.
  socket.on('connect', () => socket.emit('authentication', { token, serverOffset: lastSeen }));
  socket.on('unauthorized', ({ message }) => console.error(message));
  socket.on('server-got-message', ({ message, seq }) => {
    lastSeen = seq;
    console.log(message);
  });

  socket.once('authenticated', () => {
    readline.createInterface({ input: process.stdin })
      .on('line', message => socket.emit('client-sent-message', { message }, ({ ok, error }) => {
        if (!ok) console.error(`not sent: ${error.message}`);
      }))
      .on('close', () => socket.disconnect());
  });
}

async function signIn() {
  // Refused with 400 when the account is there already, and then signing in is all that is needed.
  await post('/api/users/', { email, password });
  const answer = await post('/api/auth/signin/', { username: email, password });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.headers.get('X-Token');
}

function post(path, body) {
  return fetch(server + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
}
