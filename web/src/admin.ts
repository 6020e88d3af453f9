// The admin site's conveniences; everything works without them.

const INTERVAL_MS = 5_000;

interface Figures {
  texts: Record<string, string>;
  lines: Record<string, string>;
}

for (const all of document.querySelectorAll<HTMLInputElement>("[data-picks-all]")) {
  const table = all.closest("table");
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const one of table?.querySelectorAll<HTMLInputElement>('input[name="id"]') ?? []) one.checked = all.checked;
  });
}

const address = document.querySelector<HTMLElement>("[data-figures]")?.dataset.figures;
if (address) setInterval(() => void refresh(address), INTERVAL_MS);

/** Asks for the figures while somebody looks. One that fails is followed by the next. */
async function refresh(address: string): Promise<void> {
  if (document.hidden) return;
  try {
    const answer = await fetch(address, { redirect: "error" });
    if (answer.ok) show((await answer.json()) as Figures);
  } catch {
    // Out of reach for the moment, or signed out: what is shown stays.
  }
}

function show({ texts, lines }: Figures): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) {
    const text = texts[element.dataset.text ?? ""];
    if (text !== undefined && element.textContent !== text) element.textContent = text;
  }
  for (const line of document.querySelectorAll<SVGPolylineElement>("[data-line]")) {
    line.setAttribute("points", lines[line.dataset.line ?? ""] ?? "");
  }
}
