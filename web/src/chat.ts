/** The chat page: a public client of the REST and socket interfaces, as anyone could write it. */

import { type Conversation, EVERYONE, type Person } from "./api";
import { coalesced, persistently } from "./backoff";
import { Composer } from "./composer";
import { answered, Connection, type State } from "./connection";
import { DeletingDialog, MembersDialog, OpeningDialog, prepareDialogs } from "./dialogs";
import { button, element, find } from "./element";
import { History } from "./history";
import { fromServer, type Text, t } from "./language";
import { isTooLong, type Message } from "./message";
import { Notifications } from "./notifications";
import { Outbox } from "./outbox";
import { People } from "./people";
import { ReadMarks } from "./read_marks";
import { Rooms } from "./rooms";
import { Stored } from "./stored";
import { Switcher } from "./switcher";
import { Timeline } from "./timeline";
import { Typing } from "./typing";

const STATES: Record<State, Text> = {
  connecting: "Connecting…",
  connected: "Connected",
  reconnecting: "Reconnecting…",
  offline: "Offline",
};

const BANNERS: Partial<Record<State, Text>> = {
  reconnecting: "The connection is lost. What you write is sent when it is back.",
  offline: "This device is offline. What you write is sent when it is back.",
};

/** Whatever changes conversations often changes those of many people. */
const LONGEST_REFRESH_PAUSE = 400;

const { userId, email = "", maxBytes } = document.body.dataset;
const user = { id: Number(userId), email, maxBytes: Number(maxBytes) };
const state = find("state");
const banner = find("banner");
const scroller = find("scroller");
const sidebar = find("sidebar");
const menu = find<HTMLButtonElement>("menu");
const narrow = matchMedia("(max-width: 48rem)");

prepareDialogs();
const deleting = new DeletingDialog((message) => void remove(message));
const timeline = new Timeline(scroller, find("messages"), user.id, {
  edit: (message) => composer.startEditing(message),
  delete: (message) => deleting.open(message),
});
const history = new History(timeline, find("earlier"), find("new-messages"), scroller, noteRead);
const rooms = new Rooms(find("rooms"), find("menu-unread"), user.id, closeMenu);
const people = new People(find("people"), find("people-count"), user.id, (person) => void writeTo(person));
const typing = new Typing(find("typing"));
const notifications = new Notifications(find("notify"), user.id);
const connection = new Connection(user.id, {
  offsets: () => rooms.offsets,
  stateChanged: showState,
  authenticated() {
    outbox.flush();
    readMarks.tell();
    void history.resume();
    void welcome();
  },
  received,
  changed: (message) => message.conversation === rooms.current && timeline.update([message]),
  missed(gap) {
    rooms.hearUpTo(gap.conversation, gap.next - 1);
    if (gap.conversation === rooms.current) history.missed(gap);
  },
  conversationsChanged: () => setTimeout(refresh, Math.random() * LONGEST_REFRESH_PAUSE),
  joined(conversation, seq) {
    rooms.hearUpTo(conversation, seq);
    void refresh();
  },
  left: () => void refresh(),
  read: (conversation, seq) => rooms.read(conversation, seq),
  typing(conversation, person) {
    if (conversation === rooms.current && person.id !== user.id) typing.writes(person);
  },
  presenceChanged: (come, gone) => people.change(come, gone),
});
const readMarks = new ReadMarks(connection);
const outbox = new Outbox(connection, timeline, history, rooms, user, {
  gaveBack: (texts) => tell(t("You are not in that room any more. This was not sent: {text}", { text: texts.join(" ") })),
});
const composer = new Composer(find("composer"), find("m"), find("editing"), find("cancel-edit"), {
  send,
  edit,
  delete: (message) => deleting.open(message),
  lastEditable: () => timeline.lastEditable(),
  types: () => connection.types(rooms.current),
});
const opening = new OpeningDialog(connection, (conversation) => void enter(conversation));
const members = new MembersDialog(connection);
new Switcher(rooms, goTo);

showState("connecting");
void start();

async function start() {
  await persistently(() => rooms.load());
  // Who has read nothing there yet is taken to have read all of it, until the server is told otherwise.
  readMarks.note(EVERYONE, rooms.get(EVERYONE)!.read_seq);
  sidebar.hidden = menu.hidden = false;
  find("sign-out").addEventListener("submit", (event) => leave(event));
  addEventListener("hashchange", () => void show(wanted()));
  if (location.hash && rooms.get(Number(location.hash.slice(1))) === undefined) tell(t("There is no such room."));
  menu.addEventListener("click", () => setMenu(!isMenuOpen()));
  find("skip").addEventListener("click", (event) => {
    event.preventDefault();
    find("m").focus();
  });
  addEventListener("keydown", (event) => event.key === "Escape" && isMenuOpen() && closeMenu());
  narrow.addEventListener("change", closeMenu);
  find("open-room").addEventListener("click", () => opening.open());
  find("room-menu").addEventListener("click", () => void members.open(current()));
  find("join-room").addEventListener("click", () => void join());
  await Promise.all([show(wanted()), connection.open()]);
}

/** What the address asks for, if there is such a room. */
function wanted(): number {
  const id = Number(location.hash.slice(1));
  return rooms.get(id) ? id : EVERYONE;
}

function goTo(id: number) {
  location.hash = String(id);
  closeMenu();
}

function current(): Conversation {
  return rooms.get(rooms.current)!;
}

async function show(id: number) {
  closeMenu();
  rooms.show(id);
  typing.clear();
  const room = rooms.get(id)!;
  showRoom();
  const shown = history.open(id, Math.max(room.heard, room.last_seq), room.read_seq);
  outbox.show(id);
  composer.show(`draft:${user.id}:${id}`, room.joined);
  await shown;
}

/** What stands around the messages. */
function showRoom() {
  const { kind, name, joined } = current();
  find("room-name").textContent = name;
  find("room-menu").hidden = kind === "everyone" || !joined;
  find("join").hidden = joined;
  find("composer").hidden = !joined;
}

/** Once for all that asks for it meanwhile. */
const refresh = coalesced(async () => {
  await persistently(() => rooms.load());
  outbox.giveBack();
  if (rooms.get(rooms.current)) showRoom();
  else goTo(EVERYONE);
});

async function enter(conversation: Conversation) {
  await refresh();
  goTo(conversation.id);
}

async function writeTo(person: Person) {
  const answer = await answered(connection.openConversation({ kind: "direct", email: person.email }));
  if (answer.ok) await enter(answer.conversation);
}

async function join() {
  const answer = await answered(connection.join(rooms.current));
  if (!answer.ok) return;
  await refresh();
  composer.focus();
}

async function welcome() {
  const answer = await answered(connection.whoIsHere());
  if (answer.ok) people.replace(answer.people, answer.count);
  await refresh();
}

function received(message: Message) {
  typing.stops(message.author);
  outbox.heard(message);
  rooms.hear(message);
  if (message.conversation === rooms.current) history.receive(message);
  if (message.author !== user.id) notifications.show(message, rooms.get(message.conversation)?.name ?? "");
}

function noteRead(conversation: number, seq: number) {
  if (rooms.get(conversation)?.joined && rooms.read(conversation, seq)) readMarks.note(conversation, seq);
}

/** What could never be sent stays where it was written, to be shortened. */
function send(text: string): boolean {
  if (isTooLong(text, user.maxBytes)) return fail(t("The message is too long."));
  tell("");
  void outbox.send(text);
  return true;
}

/** Whether the text is that of the message now. */
async function edit(message: Message, text: string): Promise<boolean> {
  if (isTooLong(text, user.maxBytes)) return fail(t("The message is too long."));
  const answer = await answered(connection.edit(message.conversation, message.seq, text));
  if (!answer.ok) return fail(t("The message was not changed. {reason}", { reason: fromServer(answer.error.message) }));
  timeline.update([answer.message]);
  tell("");
  return true;
}

async function remove(message: Message) {
  const answer = await answered(connection.delete(message.conversation, message.seq));
  if (!answer.ok) {
    return void fail(t("The message was not deleted. {reason}", { reason: fromServer(answer.error.message) }));
  }
  timeline.update([answer.message]);
  tell("");
}

/** Nothing of what somebody has written stays for the next who uses this browser. */
function leave(event: Event) {
  const hasUnsent = Stored.all(`outbox:${user.id}:`).length > 0;
  if (hasUnsent && !confirm(t("Some messages are not sent yet, and will be lost. Sign out all the same?"))) {
    event.preventDefault();
    return;
  }
  for (const prefix of ["outbox", "draft"]) Stored.removeAll(`${prefix}:${user.id}:`);
}

function showState(now: State) {
  if (state.dataset.state === now) return;
  state.dataset.state = now;
  state.replaceChildren(element("span", "", t(STATES[now])));
  showBanner();
}

/** Something that did not go as it should, until something else does. */
let trouble = "";

function tell(text: string) {
  trouble = text;
  showBanner();
}

function dismiss() {
  tell("");
  composer.focus();
}

function fail(text: string): false {
  tell(text);
  return false;
}

function showBanner() {
  const notice = BANNERS[state.dataset.state as State];
  banner.replaceChildren([notice ? t(notice) : "", trouble].filter(Boolean).join(" "));
  banner.hidden = banner.textContent === "";
  if (trouble) banner.append(" ", button(t("Dismiss"), "link", dismiss));
}

function closeMenu() {
  setMenu(false);
}

function isMenuOpen() {
  return menu.getAttribute("aria-expanded") === "true";
}

/** The menu lies over the messages where there is no room for both. */
function setMenu(open: boolean) {
  if (sidebar.contains(document.activeElement) && narrow.matches && !open) menu.focus();
  menu.setAttribute("aria-expanded", String(open));
  sidebar.classList.toggle("open", open);
  find("conversation").inert = open && narrow.matches;
}
