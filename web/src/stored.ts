/** A value that outlives the page, as far as the browser lets it. */
export class Stored<Value> {
  constructor(
    private readonly key: string,
    private readonly otherwise: Value,
  ) {}

  /** All values whose keys begin so. */
  static all<Value>(prefix: string): Value[] {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(prefix));
      return keys.map((key) => new Stored<Value | null>(key, null).get()).filter((value) => value !== null);
    } catch {
      return [];
    }
  }

  static removeAll(prefix: string) {
    try {
      for (const key of Object.keys(localStorage)) if (key.startsWith(prefix)) localStorage.removeItem(key);
    } catch {
      // Nothing is stored then.
    }
  }

  get(): Value {
    try {
      const text = localStorage.getItem(this.key);
      return text === null ? this.otherwise : (JSON.parse(text) as Value);
    } catch {
      return this.otherwise;
    }
  }

  set(value: Value) {
    try {
      localStorage.setItem(this.key, JSON.stringify(value));
    } catch {
      // Without storage, or with a full one, the page works all the same until it is left.
    }
  }

  remove() {
    try {
      localStorage.removeItem(this.key);
    } catch {
      // As above.
    }
  }
}
