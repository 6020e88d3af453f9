import type { Person } from "./api";
import { button, element, Items } from "./element";
import { locale, t } from "./language";

/** So many people are listed; of the others the count tells. */
const LISTED = 200;

/** Who is here. */
export class People {
  private readonly here = new Map<number, string>();
  private readonly items: Items<string, Person>;
  /** People beyond those that the server has listed. */
  private more = 0;

  constructor(
    list: HTMLElement,
    private readonly count: HTMLElement,
    private readonly userId: number,
    private readonly write: (person: Person) => void,
  ) {
    this.items = new Items(
      list,
      () => element("li"),
      (item, person) => item.firstChild ?? item.append(this.entryOf(person)),
    );
  }

  replace(people: Person[], count: number) {
    this.here.clear();
    for (const { id, email } of people) this.here.set(id, email);
    this.more = count - people.length;
    this.render();
  }

  change(come: Person[], gone: number[]) {
    for (const { id, email } of come) this.here.set(id, email);
    for (const id of gone) if (!this.here.delete(id)) this.more = Math.max(0, this.more - 1);
    this.render();
  }

  private render() {
    const people = [...this.here].map(([id, email]) => ({ id, email }));
    people.sort((one, other) => one.email.localeCompare(other.email, locale));
    this.count.textContent = String(people.length + this.more);
    this.items.show(people.slice(0, LISTED).map((person) => [`${person.id} ${person.email}`, person]));
  }

  private entryOf(person: Person): HTMLElement {
    if (person.id === this.userId) return element("span", "person", t("{email} (you)", { email: person.email }));
    const entry = button(person.email, "person", () => this.write(person));
    entry.title = t("Write to {email}", { email: person.email });
    return entry;
  }
}
