import assert from 'node:assert/strict';

/** Like `deepEqual` of two long lists of texts or numbers, but it says only where they part. */
export function assertSameList(actual, expected, what) {
  const index = expected.findIndex((item, n) => item !== actual[n]);
  if (index >= 0) assert.fail(`${what}: number ${index} is ${actual[index]} instead of ${expected[index]}`);
  assert.equal(actual.length, expected.length, `${what}: goes on with ${actual[expected.length]}`);
}
