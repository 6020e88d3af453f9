import { once } from 'node:events';
import { createServer } from 'node:http';
import { extname } from 'node:path';

const TYPES = { '': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript' };

/** A site elsewhere, with these contents by path, until the test `t` ends: its address. */
export async function publish(t, contents) {
  const site = createServer((request, answer) => {
    const content = contents[request.url];
    if (content === undefined) return answer.writeHead(404).end();
    answer.setHeader('Content-Type', `${TYPES[extname(request.url)]}; charset=utf-8`).end(content);
  });
  await once(site.listen(0, '127.0.0.1'), 'listening');
  t.after(() => { site.close(); site.closeAllConnections(); });
  return `http://127.0.0.1:${site.address().port}/`;
}
