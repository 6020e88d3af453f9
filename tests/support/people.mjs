import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

/** Someone who has just signed up and in by REST. */
export async function newcomer(natter, name) {
  const person = { email: `${name}.${randomUUID().slice(0, 8)}@example.org`, password: 'qwerty' };
  await signUp(natter, person);
  return { ...person, token: await signIn(natter, person) };
}

export async function signUp(natter, { email, password }) {
  const answer = await post(natter, 'api/users/', { email, password });
  assert.deepEqual([answer.status, await answer.text()], [201, '']);
}

/** A new token. */
export async function signIn(natter, { email, password }) {
  const answer = await post(natter, 'api/auth/signin/', { username: email, password });
  assert.equal(answer.status, 201);
  assert.equal((await answer.json()).email, email);
  return answer.headers.get('X-Token');
}

export async function signOut(natter, { token }) {
  const answer = await fetch(new URL('api/auth/logout/', natter.url), { method: 'DELETE', headers: { Authorization: `Token ${token}` } });
  assert.equal(answer.status, 204);
}

/** The messages after number `after`, oldest first, read page by page as a client would. */
export async function history(natter, { token }, after = 0) {
  const messages = [];
  let page = new URL('api/messages/', natter.url).href;
  while (page) {
    const answer = await fetch(new URL(page, natter.url), { headers: { Authorization: `Token ${token}` } });
    assert.equal(answer.status, 200);
    const { next, results } = await answer.json();
    messages.push(...results);
    page = results.some(({ seq }) => seq <= after) ? null : next;
  }
  return messages.filter(({ seq }) => seq > after).reverse();
}

/** Takes somebody out of a room. */
export async function takeOut(natter, token, conversation, email) {
  const headers = { Authorization: `Token ${token}` };
  const members = new URL(`api/conversations/${conversation}/members/`, natter.url);
  const { results } = await (await fetch(members, { headers })).json();
  const { id } = results.find(member => member.email === email);
  const answer = await fetch(new URL(`${id}/`, members), { method: 'DELETE', headers });
  assert.equal(answer.status, 204);
}

export function post(natter, path, body) {
  return fetch(new URL(path, natter.url), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}
