import type { Message } from "./message";

export interface Page {
  /** Address of the next older page, null on the last one. */
  next: string | null;
  /** Newest first. */
  results: Message[];
}

export const PAGE_SIZE = 50;

export async function fetchToken(): Promise<string> {
  const answer = await get<{ "X-Token": string }>("/api/auth/token/");
  return answer["X-Token"];
}

export function fetchPage(where: { before?: number; after?: number } = {}): Promise<Page> {
  const query = new URLSearchParams({ limit: String(PAGE_SIZE) });
  for (const [key, seq] of Object.entries(where)) query.set(key, String(seq));
  return get<Page>(`/api/messages/?${query}`);
}

/** Leaves the page for the sign-in form; never resolves, for nobody is left to wait. */
export function signIn(): Promise<never> {
  location.replace("/login/?next=/");
  return new Promise(() => {});
}

async function get<Answer>(path: string): Promise<Answer> {
  const response = await fetch(path, { headers: { Accept: "application/json" }, cache: "no-store" });
  if (response.status === 403) return signIn();
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}
