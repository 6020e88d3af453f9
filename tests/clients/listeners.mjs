// A thread of flood.test.mjs: `count` listeners of one client version, spread over the transports, who listen until `the end`.

import { parentPort, workerData } from 'node:worker_threads';
import { travellers } from './clients.mjs';
import { Visitor } from './visitor.mjs';

const { url, token, version, count } = workerData;
const kinds = travellers.filter(traveller => traveller.version === version);

const listeners = Array.from({ length: count }, (_, n) => listener(kinds[n % kinds.length]));
await Promise.all(listeners.map(({ ready }) => ready));
parentPort.postMessage({ ready: true });
parentPort.postMessage({ heard: await Promise.all(listeners.map(({ heard }) => heard)) });

function listener(traveller) {
  const visitor = new Visitor({ url }, traveller, { reconnection: false });
  const log = [];
  const heard = new Promise((resolve, reject) => {
    visitor.socket.on('server-got-message', ({ seq, message }) => {
      if (message.endsWith(': the end')) resolve({ name: traveller.name, log });
      else log.push(`${seq} ${message}`);
    });
    visitor.socket.on('disconnect', why => reject(new Error(`${traveller.name} was disconnected after ${log.length} messages: ${why}`)));
  });
  return { ready: visitor.authenticatesOnConnect(token), heard };
}
