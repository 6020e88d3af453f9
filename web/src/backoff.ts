const FIRST = 500;
const LONGEST = 15_000;

/** Growing, randomised pauses, so that a restarted server is not met by everybody at once. */
export class Backoff {
  private attempts = 0;

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const longest = Math.min(LONGEST, FIRST * 2 ** this.attempts++);
    return longest * (0.5 + Math.random() / 2);
  }

  reset() {
    this.attempts = 0;
  }
}

/** Tries until it succeeds. */
export async function persistently<T>(attempt: () => Promise<T>): Promise<T> {
  const backoff = new Backoff();
  for (;;) {
    try {
      return await attempt();
    } catch {
      await new Promise((resume) => setTimeout(resume, backoff.next()));
    }
  }
}

/** A job that runs once more after it is done if it was asked for meanwhile, however often. */
export function coalesced(job: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const run = () => {
    running = job().finally(() => (running = undefined));
    return running;
  };
  return () => {
    if (!running) return run();
    next ??= running.then(() => {
      next = undefined;
      return run();
    });
    return next;
  };
}
