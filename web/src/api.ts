import type { Message } from "./message";

export interface Page {
  /** Address of the next older page, null on the last one. */
  next: string | null;
  /** Newest first. */
  results: Message[];
}

export type Kind = "everyone" | "open" | "invitation" | "direct";

/** A conversation as the person who asks sees it. */
export interface Conversation {
  id: number;
  kind: Kind;
  name: string;
  joined: boolean;
  owned: boolean;
  last_seq: number;
  read_seq: number;
  with: number | null;
}

export interface Person {
  id: number;
  email: string;
}

interface Counted<Item> {
  next: string | null;
  results: Item[];
}

/** The first conversation, which everybody is in. */
export const EVERYONE = 1;

export const PAGE_SIZE = 50;

/** So many members and conversations come in one answer. */
const MOST = 500;

export async function fetchToken(): Promise<string> {
  const answer = await get<{ "X-Token": string }>("/api/auth/token/");
  return answer["X-Token"];
}

/** Where somebody else has logged in here meanwhile, the page becomes theirs. */
export async function checkOwner(token: string, userId: number) {
  const owner = await get<{ id: number }>("/api/users/me/", { Authorization: `Token ${token}` });
  if (owner.id === userId) return;
  location.reload();
  await new Promise(() => {});
}

export function fetchPage(
  conversation: number,
  where: { before?: number; after?: number } = {},
  limit = PAGE_SIZE,
): Promise<Page> {
  const query = new URLSearchParams({ limit: String(limit) });
  for (const [key, seq] of Object.entries(where)) query.set(key, String(seq));
  return get<Page>(`/api/conversations/${conversation}/messages/?${query}`);
}

export async function fetchConversations(): Promise<Conversation[]> {
  const all: Conversation[] = [];
  for (let page = 1; ; page++) {
    const { next, results } = await get<Counted<Conversation>>(`/api/conversations/?page=${page}&page_size=${MOST}`);
    all.push(...results);
    if (next === null) return all;
  }
}

export async function fetchMembers(conversation: number): Promise<Person[]> {
  const { results } = await get<Counted<Person>>(`/api/conversations/${conversation}/members/?page_size=${MOST}`);
  return results;
}

/** Leaves the page for the sign-in form; never resolves, for nobody is left to wait. */
export function signIn(): Promise<never> {
  location.replace("/login/?next=/");
  return new Promise(() => {});
}

async function get<Answer>(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(path, { headers: { Accept: "application/json", ...headers }, cache: "no-store" });
  if (response.status === 403) return signIn();
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}
