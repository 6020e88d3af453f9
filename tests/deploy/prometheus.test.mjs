// The alerts and the dashboard of examples/deploy: understood by Prometheus, of figures that there are, and raised when they should be.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { example, path, run, temporaryFolder } from './examples.mjs';
import { metrics } from './metrics.mjs';

const PROMTOOL = process.env.NATTER_TEST_PROMTOOL ?? 'promtool';
const RULES = 'prometheus/natter.rules.yml';
/** What Prometheus adds to every series. */
const TARGET_LABELS = ['job', 'instance'];

test('the configuration and the rules are understood', async () => {
  const said = await run(PROMTOOL, ['check', 'config', path('examples/deploy/prometheus/prometheus.yml')]);
  assert.match(said, /SUCCESS: 1 rule files found/);
});

test('every alert is raised by its cause, and none by a quiet day', async () => {
  const cases = path('tests/deploy/alerts.yml');
  await run(PROMTOOL, ['test', 'rules', cases]);
  const [rules, text] = [await example(RULES), await readFile(cases, 'utf8')];
  const raised = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name).sort();
  const expected = [...text.matchAll(/alertname="(\w+)"/g)].map(([, name]) => name);
  assert.deepEqual([...new Set(expected)].sort(), raised);
});

test('the dashboard’s queries are understood', async t => {
  const rules = expressions(await dashboard()).map((expr, n) => ({ record: `panel:${n}`, expr }));
  const file = join(await temporaryFolder(t), 'rules.json');
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
  assert.match(await run(PROMTOOL, ['check', 'rules', file]), new RegExp(`SUCCESS: ${rules.length} rules found`));
});

test('rules and dashboard ask for figures that there are', async () => {
  const known = await metrics();
  const asked = [await example(RULES), ...expressions(await dashboard())].join('\n');
  const names = new Set(asked.match(/\b(?:natter|process)_\w+/g));
  for (const name of names) assert.ok(name in known, name);
  for (const [, name, selector] of asked.matchAll(/\b((?:natter|process)_\w+)\{([^}]*)\}/g)) {
    for (const [, label] of selector.matchAll(/(\w+)\s*(?:=|!=|=~|!~)\s*"/g)) {
      assert.ok([...TARGET_LABELS, ...known[name]].includes(label), `${name}{${label}}`);
    }
  }
  const labels = new Set([...TARGET_LABELS, ...Object.values(known).flat()]);
  for (const [, by] of asked.matchAll(/\bby \(([^)]*)\)/g)) {
    for (const label of by.split(',')) assert.ok(labels.has(label.trim()), `by (${by})`);
  }
});

test('every figure of the server’s own is on the dashboard', async () => {
  const shown = expressions(await dashboard()).join('\n');
  const missing = Object.keys(await metrics()).filter(name => /^natter_/.test(name) && !/_(sum|count)$/.test(name) && !new RegExp(`\\b${name}\\b`).test(shown));
  assert.deepEqual(missing, []);
});

test('the dashboard’s panels have names, places of their own and a source', async () => {
  const { panels, uid } = await dashboard();
  assert.equal(uid, 'natter');
  const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
  assert.equal(new Set(places).size, panels.length);
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  for (const { type, title, datasource, targets } of panels) {
    assert.ok(title, JSON.stringify(targets));
    if (type !== 'row') assert.equal(datasource.uid, '${datasource}', title);
  }
});

async function dashboard() {
  return JSON.parse(await example('grafana/natter.json'));
}

/** What its panels ask Prometheus, with Grafana's variables filled in. */
function expressions({ panels }) {
  const targets = panels.flatMap(({ targets = [] }) => targets);
  return targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'));
}
