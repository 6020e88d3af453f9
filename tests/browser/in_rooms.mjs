// What a person does with rooms on the chat page.

let rooms = 0;

/** Opens a room that has a name of its own. */
export async function opens(page, kind) {
  const name = `Room ${++rooms}`;
  await page.getByRole('button', { name: 'New', exact: true }).click();
  await page.getByLabel(kind).check();
  await page.getByLabel('Name of the room').last().fill(name);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await isIn(page, name);
  return name;
}

export async function isIn(page, name) {
  await page.getByRole('heading', { name, exact: true }).waitFor();
}

export function roomLink(page, name) {
  return page.locator('#rooms').getByRole('link', { name });
}

export async function goesTo(page, name) {
  await roomLink(page, name).click();
  await isIn(page, name);
}

export async function invites(page, guest) {
  await page.getByRole('button', { name: 'Members' }).click();
  await page.getByLabel('E-mail address of somebody to bring in').fill(guest.email);
  await page.getByRole('button', { name: 'Bring in' }).click();
  await page.locator('#members-list').getByText(guest.email).waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
}
