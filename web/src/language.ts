/** What the page says, in the language that the server has chosen for it. */

import strings from "../strings.json";

type Forms = { one: string; other: string };
type Entry = string | { en: Forms; de: Forms };
type Values = Record<string, string | number>;

/** A text of the catalogue, by its English. */
export type Text = keyof typeof strings;

const catalogue = new Map<string, Entry>(Object.entries(strings));
const language = document.documentElement.lang === "de" ? "de" : "en";
const plurals = new Intl.PluralRules(language);

/** How dates, times and orders are: as somebody of the browser's region is used to who speaks the page's language. */
export const locale = navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language;

/** A text with its `{places}` filled in; `count` chooses between the forms for one and for many. */
export function t(text: Text, values: Values = {}): string {
  return fill(formOf(text, values) ?? text, values);
}

/** What the server says in English, as to every client: translated where it is known. */
export function fromServer(message: string): string {
  // The form shows which field is meant.
  const text = message.replace(/^[a-z_]+: /, "");
  const known = formOf(text);
  if (known !== undefined) return known;
  // As the server does for its pages: numbers and quotations are places, {1}, {2} and so on.
  const values: Values = {};
  let places = 0;
  const pattern = text.replace(/"([^"]*)"|[0-9]+/g, (found, quoted?: string) => {
    values[++places] = quoted ?? found;
    return quoted === undefined ? `{${places}}` : `"{${places}}"`;
  });
  const form = formOf(pattern);
  return form === undefined ? text : fill(form, values);
}

function formOf(text: string, { count = 0 }: Values = {}): string | undefined {
  const entry = catalogue.get(text);
  if (entry === undefined) return undefined;
  if (typeof entry === "string") return language === "en" ? text : entry;
  return plurals.select(Number(count)) === "one" ? entry[language].one : entry[language].other;
}

function fill(form: string, values: Values): string {
  return form.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}
