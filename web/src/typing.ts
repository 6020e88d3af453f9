import type { Person } from "./api";
import { t } from "./language";

/** After this time without a word somebody no longer writes. */
const PATIENCE = 5_000;
const NAMED = 3;

/** Who writes in the conversation on the page. */
export class Typing {
  private readonly writers = new Map<number, { email: string; timer: number }>();

  constructor(private readonly line: HTMLElement) {}

  writes({ id, email }: Person) {
    this.stops(id);
    const timer = window.setTimeout(() => this.stops(id), PATIENCE);
    this.writers.set(id, { email, timer });
    this.render();
  }

  stops(id: number) {
    const writer = this.writers.get(id);
    if (!writer) return;
    clearTimeout(writer.timer);
    this.writers.delete(id);
    this.render();
  }

  clear() {
    for (const id of [...this.writers.keys()]) this.stops(id);
  }

  private render() {
    const names = [...this.writers.values()].map(({ email }) => email);
    if (names.length === 0) this.line.textContent = "";
    else if (names.length > NAMED) this.line.textContent = t("{count} people are writing…", { count: names.length });
    else this.line.textContent = t("{names} are writing…", { names: names.join(", "), count: names.length });
  }
}
