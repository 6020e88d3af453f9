import { Server as Engine } from '@socket.io/bun-engine';
import { chat } from './chat.mjs';

const engine = new Engine({ path: '/socket.io/' });
chat().bind(engine);
const server = Bun.serve({ port: 0, hostname: '127.0.0.1', ...engine.handler() });
console.log(`http://127.0.0.1:${server.port}/`);
