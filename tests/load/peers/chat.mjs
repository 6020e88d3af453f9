import { Server } from 'socket.io';

const AUTH_TIMEOUT_MS = 1000;
const users = new Map([[process.env.LOAD_TOKEN, { id: 1, email: 'load@example.org' }]]);

/** Natter's chat on a Socket.IO server of npm, with tokens and the sequence in memory and no history. */
export function chat() {
  const io = new Server({ serveClient: false });
  let seq = 0;
  io.on('connection', socket => {
    let user;
    socket.emit('news', { message: 'Hello' });
    const deadline = setTimeout(() => socket.disconnect(true), AUTH_TIMEOUT_MS);
    socket.on('disconnect', () => clearTimeout(deadline));
    socket.on('authentication', ({ token }) => {
      user = users.get(token);
      if (!user) return socket.emit('unauthorized', { message: 'Token not found.' }, () => socket.disconnect(true));
      clearTimeout(deadline);
      socket.join('everyone');
      socket.emit('authenticated', true);
    });
    socket.on('client-sent-message', ({ message }) => {
      if (!user) return;
      // Of as many bytes as Natter's.
      const time = new Date().toISOString().replace('Z', '000000Z');
      io.to('everyone').emit('server-got-message', {
        message: `${user.email}: ${message}`, conversation: 1, seq: ++seq, author: user.id, time,
      });
    });
  });
  return io;
}
