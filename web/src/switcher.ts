import { element, find } from "./element";
import { nameOf, type Rooms } from "./rooms";

/** The dialog by which the keyboard goes to a room: Ctrl-K, some letters of its name, Enter. */
export class Switcher {
  private readonly dialog = find<HTMLDialogElement>("switcher");
  private readonly filter = find<HTMLInputElement>("switcher-filter");
  private readonly list = find("switcher-list");
  private matches: number[] = [];
  private chosen = 0;

  constructor(
    private readonly rooms: Rooms,
    private readonly choose: (id: number) => void,
  ) {
    addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
      event.preventDefault();
      this.open();
    });
    this.filter.addEventListener("input", () => this.look());
    this.filter.addEventListener("keydown", (event) => this.pressed(event));
  }

  private open() {
    if (this.dialog.open) return;
    this.filter.value = "";
    this.dialog.showModal();
    this.look();
  }

  private pressed(event: KeyboardEvent) {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.matches.length > 0) {
      event.preventDefault();
      this.chosen = (this.chosen + step + this.matches.length) % this.matches.length;
      this.render();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.go(this.matches[this.chosen]);
    }
  }

  private look() {
    const wanted = this.filter.value.trim().toLowerCase();
    const matching = this.rooms.all.filter(({ name }) => name.toLowerCase().includes(wanted));
    this.matches = matching.map(({ id }) => id);
    this.chosen = 0;
    this.render();
  }

  private render() {
    this.list.replaceChildren(...this.matches.map((id, index) => this.option(id, index)));
    this.filter.setAttribute("aria-activedescendant", this.matches.length > 0 ? `option-${this.chosen}` : "");
    this.list.children[this.chosen]?.scrollIntoView({ block: "nearest" });
  }

  private option(id: number, index: number): HTMLElement {
    const option = element("li", "room", nameOf(this.rooms.get(id)!));
    option.id = `option-${index}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", String(index === this.chosen));
    option.addEventListener("click", () => this.go(id));
    return option;
  }

  private go(id: number | undefined) {
    this.dialog.close();
    if (id !== undefined) this.choose(id);
  }
}
