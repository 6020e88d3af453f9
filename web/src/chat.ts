/** The chat page: a public client of the REST and socket interfaces, as anyone could write it. */

import { persistently } from "./backoff";
import { compose } from "./composer";
import { Connection, type State } from "./connection";
import { History } from "./history";
import { Outbox } from "./outbox";
import { Timeline } from "./timeline";

const STATES: Record<State, string> = {
  connecting: "Connecting…",
  connected: "Connected",
  reconnecting: "Reconnecting…",
  offline: "Offline",
};

const { userId, email = "", maxBytes } = document.body.dataset;
const user = { id: Number(userId), email, maxBytes: Number(maxBytes) };
const state = find("state");
const scroller = find("scroller");

const timeline = new Timeline(scroller, find("messages"), user.id);
const history = new History(timeline, find("earlier"), find("new-messages"), scroller);
const connection = new Connection({
  offset: () => history.offset,
  stateChanged: showState,
  authenticated() {
    outbox.flush();
    history.resume();
  },
  received(message) {
    outbox.heard(message);
    history.receive(message);
  },
  missed: (gap) => history.missed(gap),
});
const outbox = new Outbox(connection, timeline, history, user);

showState("connecting");
compose(find("composer"), find("m"), (text) => void outbox.send(text));
void start();

async function start() {
  await persistently(() => history.latest());
  scroller.removeAttribute("aria-busy");
  await connection.open();
}

function showState(current: State) {
  if (state.dataset.state === current) return;
  state.dataset.state = current;
  state.textContent = STATES[current];
}

function find<Kind extends HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}
