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
