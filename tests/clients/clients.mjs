import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The clients people have, one of every major version of the protocol's life; a `modern` one can authenticate in its handshake. */
export const clients = [
  { version: '1.4.5', connect: require('socket.io-client-1.4.5'), modern: false },
  { version: '1.7.4', connect: require('socket.io-client-1.7.4'), modern: false },
  { version: '2.5.0', connect: require('socket.io-client-2.5.0'), modern: false },
  { version: '3.1.3', connect: require('socket.io-client-3.1.3').io, modern: true },
  { version: '4.8', connect: require('socket.io-client-4.8').io, modern: true },
];

/** The ways a client can be told to travel. */
export const transports = [
  { way: 'polling', transports: ['polling'] },
  { way: 'websocket', transports: ['websocket'] },
  { way: 'polling, then websocket', transports: ['polling', 'websocket'] },
];

/** Every client on every transport. */
export const travellers = clients.flatMap(client => transports.map(transport => ({
  ...client, ...transport, name: `socket.io-client ${client.version} by ${transport.way}`,
})));

/** Only those that a test of something else than transports needs. */
export const byWebsocket = travellers.filter(({ way }) => way === 'websocket');
