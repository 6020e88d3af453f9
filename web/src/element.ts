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

export function button(label: string, className: string, action: () => void): HTMLButtonElement {
  const created = element("button", className, label);
  created.type = "button";
  created.addEventListener("click", action);
  return created;
}

export function find<Kind extends HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}
