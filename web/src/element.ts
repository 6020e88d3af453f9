/** An element with what it holds; texts are only ever set as text. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = "",
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const created = document.createElement(tag);
  if (className) created.className = className;
  created.append(...children);
  return created;
}

/** The items of a list, each kept for as long as its key is there: so that whoever is on one of them stays there. */
export class Items<Key, Shown> {
  private readonly items = new Map<Key, HTMLElement>();

  constructor(
    private readonly list: HTMLElement,
    private readonly create: (key: Key) => HTMLElement,
    private readonly update: (item: HTMLElement, shown: Shown) => void,
  ) {}

  show(all: [Key, Shown][]) {
    const keys = new Set(all.map(([key]) => key));
    for (const [key, item] of this.items) {
      if (keys.has(key)) continue;
      item.remove();
      this.items.delete(key);
    }
    for (const [index, [key, shown]] of all.entries()) {
      const item = this.items.get(key) ?? this.create(key);
      this.items.set(key, item);
      this.update(item, shown);
      if (this.list.children[index] !== item) this.list.insertBefore(item, this.list.children[index] ?? null);
    }
  }
}

export function button(label: string, className: string, action: () => void): HTMLButtonElement {
  const created = element("button", className, label);
  created.type = "button";
  created.addEventListener("click", action);
  return created;
}

export function find<Kind extends HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}
