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

/** The same and those between them, for what the protocol itself must carry; some can `attach` not every kind of buffer. */
const everyClient = [
  { version: '1.0.6', connect: require('socket.io-client-1.0.6'), attach: asAncientBuffer },
  { version: '1.3.7', connect: require('socket.io-client-1.3.7'), attach: Buffer.from },
  { version: '2.0.4', connect: require('socket.io-client-2.0.4'), attach: asEitherBuffer },
  { version: '4.0.2', connect: require('socket.io-client-4.0.2').io, attach: asEitherBuffer },
  ...clients.map(client => ({ ...client, attach: asEitherBuffer })),
].sort((one, other) => one.version.localeCompare(other.version));

/** The ways a client can be told to travel. */
export const transports = [
  { way: 'polling', transports: ['polling'] },
  { way: 'websocket', transports: ['websocket'] },
  { way: 'polling, then websocket', transports: ['polling', 'websocket'] },
];

/** Every client on every transport. */
export const travellers = withTransports(clients);
export const everyTraveller = withTransports(everyClient);

/** Only those that a test of something else than transports needs. */
export const byWebsocket = travellers.filter(({ way }) => way === 'websocket');

function withTransports(clients) {
  return clients.flatMap(client => transports.map(transport => ({
    ...client, ...transport, name: `socket.io-client ${client.version} by ${transport.way}`,
  })));
}

/** Of both kinds some; but no empty ArrayBuffer, which old clients fail to send. */
function asEitherBuffer(bytes) {
  return bytes.byteLength % 2 === 0 ? Buffer.from(bytes) : bytes.buffer;
}

/** A Buffer as in 2014, with no ArrayBuffer beneath: 1.0.6 would send that in its place, filled with zeros. */
function asAncientBuffer(bytes) {
  return Object.defineProperty(Buffer.from(bytes), 'buffer', { value: undefined });
}
