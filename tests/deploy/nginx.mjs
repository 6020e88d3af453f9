import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { within } from '../support/deadline.mjs';
import { example, placed } from './examples.mjs';

const PROGRAM = process.env.NATTER_TEST_NGINX ?? 'nginx';
const DEADLINE_MS = 15_000;

/** A port of 127.0.0.1 on which nobody listens. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** An nginx by the configuration of examples/deploy, in front of the server at `natterPort`; how to end it. */
export async function startNginx(folder, port, natterPort) {
  const site = placed(await example('nginx/natter.conf'), {
    'server 127.0.0.1:3000;': `server 127.0.0.1:${natterPort};`,
    '    listen 80;': `    listen 127.0.0.1:${port};`,
    '    listen [::]:80;\n': '',
  });
  await writeFile(join(folder, 'natter.conf'), site);
  await writeFile(join(folder, 'nginx.conf'), around(folder));
  const nginx = spawn(PROGRAM, ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: ['ignore', 'inherit', 'inherit'] });
  process.on('exit', () => nginx.kill('SIGKILL'));
  const exit = once(nginx, 'exit');
  await within(DEADLINE_MS, 'nginx listens', Promise.race([listens(port), exit.then(([code]) => { throw new Error(`nginx ended: ${code}`); })]));
  return async () => {
    nginx.kill('SIGTERM');
    await within(DEADLINE_MS, 'nginx ends', exit);
  };
}

/** What a system's own nginx.conf has around the sites. */
function around(folder) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`);
  return `
    ${process.getuid() === 0 ? 'user root;' : ''}
    daemon off;
    worker_processes 1;
    pid ${folder}/nginx.pid;
    error_log stderr crit;
    events { worker_connections 1024; }
    http {
      access_log off;
      ${temporary.join(' ')}
      include ${folder}/natter.conf;
    }`;
}

async function listens(port) {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isThere = await new Promise(resolve => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)));
    socket.destroy();
    if (isThere) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}
