import { setTimeout as after } from 'node:timers/promises';

/** The outcome of `promise`, or an error that names `what` did not happen within `ms` milliseconds. */
export async function within(ms, what, promise) {
  const timer = new AbortController();
  // Made here, so that its stack leads to the waiting test.
  const late = new Error(`not within ${ms} ms: ${what}`);
  const deadline = after(ms, undefined, { signal: timer.signal }).then(() => { throw late; });
  deadline.catch(() => {});
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    timer.abort();
  }
}

/** A promise together with the functions that settle it. */
export function deferred() {
  const it = {};
  it.promise = new Promise((resolve, reject) => Object.assign(it, { resolve, reject }));
  return it;
}
