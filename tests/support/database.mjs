import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const databases = ['sqlite', 'postgres'];

/** An empty database of its own for one server: its URL, and how to remove it. */
export async function emptyDatabase(kind, folder) {
  return kind === 'sqlite' ? { url: `sqlite:${join(folder, 'natter.db')}`, drop: async () => {} } : emptyPostgres();
}

async function emptyPostgres() {
  const cluster = process.env.NATTER_TEST_POSTGRES;
  if (!cluster) throw new Error('NATTER_TEST_POSTGRES is not set: run the tests with tests/run, or name a PostgreSQL superuser’s URL');
  const name = `natter_${randomUUID().replaceAll('-', '')}`;
  await sql(cluster, `create database ${name}`);
  const url = new URL(cluster);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => sql(cluster, `drop database ${name} with (force)`) };
}

function sql(cluster, statement) {
  return promisify(execFile)('psql', ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', `--command=${statement}`, cluster]);
}
