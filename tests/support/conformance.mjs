import { fileURLToPath } from 'node:url';
import { Program } from './program.mjs';

const BINARY = process.env.NATTER_TEST_CONFORMANCE ?? fileURLToPath(new URL('../../target/debug/conformance', import.meta.url));
// Short enough that a polling client meets a ping, long enough for a busy machine to answer it.
const SETTINGS = { PORT: 0, PING_INTERVAL: 1000, PING_TIMEOUT: 20_000, CONNECT_TIMEOUT: 20_000, UNNAMED_PROTOCOL: 'third' };

/** The server of examples/conformance: its address, and how to end it. */
export async function startConformance() {
  const program = new Program('conformance', BINARY);
  const port = await program.start(SETTINGS);
  return { url: `http://127.0.0.1:${port}/`, end: () => program.kill() };
}
