import { io, type Socket } from "socket.io-client";
import { checkOwner, type Conversation, fetchToken, type Person, signIn } from "./api";
import { Backoff } from "./backoff";
import type { Message } from "./message";

export type State = "connecting" | "connected" | "reconnecting" | "offline";

/** The server replays only so much: messages after `after` and before `next` are not sent. */
export interface Gap {
  conversation: number;
  after: number;
  next: number;
}

export interface Refusal {
  ok: false;
  error: { code: string; message: string };
}

export type Answer<Fields = unknown> = ({ ok: true } & Fields) | Refusal;

/** Refusals after which the same may well succeed. */
const PASSING = ["overloaded", "stopping", "throttled", "unavailable"];

export function isPassing({ error }: Refusal): boolean {
  return PASSING.includes(error.code);
}

/** An answer, also where none came. */
export async function answered<Fields>(asked: Promise<Answer<Fields>>): Promise<Answer<Fields>> {
  try {
    return await asked;
  } catch {
    return { ok: false, error: { code: "unavailable", message: "The server did not answer. Try again." } };
  }
}

interface FromServer {
  authenticated: (success: true) => void;
  unauthorized: (reason: { message: string }, ack?: () => void) => void;
  "server-got-message": (message: Message) => void;
  "message-changed": (message: Message) => void;
  "history-gap": (gap: Gap) => void;
  "conversation-opened": (opened: { conversation: number }) => void;
  "conversation-joined": (joined: { conversation: number; seq: number }) => void;
  "conversation-left": (left: { conversation: number }) => void;
  "conversation-changed": (changed: { conversation: number }) => void;
  "conversation-read": (read: { conversation: number; seq: number }) => void;
  typing: (typing: { conversation: number; user: number; email: string }) => void;
  "presence-changed": (change: { come: Person[]; gone: number[] }) => void;
}

interface ToServer {
  authentication: (credentials: { token: string; conversations: Record<number, number> }) => void;
  typing: (typing: { conversation: number }) => void;
}

export interface Listener {
  /** For each conversation the seq up to which nothing is missing here. */
  offsets(): Record<number, number>;
  stateChanged(state: State): void;
  authenticated(): void;
  received(message: Message): void;
  changed(message: Message): void;
  missed(gap: Gap): void;
  /** Conversations, or what they are called, are no longer the same. */
  conversationsChanged(): void;
  joined(conversation: number, seq: number): void;
  left(conversation: number): void;
  read(conversation: number, seq: number): void;
  typing(conversation: number, person: Person): void;
  presenceChanged(come: Person[], gone: number[]): void;
}

const ACK_TIMEOUT = 10_000;

/**
 * A socket that is authenticated, or on its way there.
 *
 * Reconnecting is done here for every cause alike: socket.io's own does not come back from a disconnect by the server,
 * and each attempt may need a fresh token first.
 */
export class Connection {
  private readonly socket: Socket<FromServer, ToServer> = io({ autoConnect: false, reconnection: false });
  private readonly backoff = new Backoff();
  private token: string | null = null;
  private tokenRefused = false;
  private wasConnected = false;
  private ready = false;
  private retry: number | undefined;

  constructor(
    private readonly userId: number,
    private readonly listener: Listener,
  ) {
    this.socket
      .on("connect", () => this.authenticate())
      .on("authenticated", () => this.welcome())
      .on("unauthorized", (_reason, ack) => this.refused(ack))
      .on("server-got-message", (message) => listener.received(message))
      .on("message-changed", (message) => listener.changed(message))
      .on("history-gap", (gap) => listener.missed(gap))
      .on("conversation-joined", ({ conversation, seq }) => listener.joined(conversation, seq))
      .on("conversation-left", ({ conversation }) => listener.left(conversation))
      .on("conversation-opened", () => listener.conversationsChanged())
      .on("conversation-changed", () => listener.conversationsChanged())
      .on("conversation-read", ({ conversation, seq }) => listener.read(conversation, seq))
      .on("typing", ({ conversation, user, email }) => listener.typing(conversation, { id: user, email }))
      .on("presence-changed", ({ come, gone }) => listener.presenceChanged(come, gone))
      .on("connect_error", () => this.lost())
      .on("disconnect", (reason) => {
        if (reason === "io server disconnect") this.token = null;
        this.lost();
      });
    addEventListener("online", () => this.hurry());
    addEventListener("offline", () => this.showState());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.hurry();
    });
  }

  private async freshToken(): Promise<string> {
    const token = await fetchToken();
    // The page itself has just come for the first.
    if (this.wasConnected) await checkOwner(token, this.userId);
    return token;
  }

  get isReady() {
    return this.ready;
  }

  async open() {
    this.retry = undefined;
    this.showState();
    try {
      this.token ??= await this.freshToken();
    } catch {
      return this.lost();
    }
    this.socket.connect();
  }

  /** Rejects when no answer came: after a while, or because the connection was lost. */
  say(conversation: number, message: string, clientOffset: string): Promise<Answer<{ seq: number }>> {
    return this.ask("client-sent-message", { conversation, message, clientOffset });
  }

  edit(conversation: number, seq: number, message: string): Promise<Answer<{ message: Message }>> {
    return this.ask("edit-message", { conversation, seq, message });
  }

  delete(conversation: number, seq: number): Promise<Answer<{ message: Message }>> {
    return this.ask("delete-message", { conversation, seq });
  }

  openConversation(opening: {
    kind: string;
    name?: string;
    email?: string;
  }): Promise<Answer<{ conversation: Conversation }>> {
    return this.ask("open-conversation", opening);
  }

  join(conversation: number): Promise<Answer<{ conversation: Conversation }>> {
    return this.ask("join-conversation", { conversation });
  }

  leave(conversation: number): Promise<Answer> {
    return this.ask("leave-conversation", { conversation });
  }

  invite(conversation: number, email: string): Promise<Answer> {
    return this.ask("invite-to-conversation", { conversation, email });
  }

  markRead(conversation: number, seq: number): Promise<Answer> {
    return this.ask("mark-read", { conversation, seq });
  }

  whoIsHere(): Promise<Answer<{ count: number; people: Person[] }>> {
    return this.ask("who-is-here", {});
  }

  /** Lost without harm where there is no connection. */
  types(conversation: number) {
    if (this.ready) this.socket.volatile.emit("typing", { conversation });
  }

  private ask<Fields>(event: string, payload: object): Promise<Answer<Fields>> {
    // What socket.io keeps until it is connected would be there before the server knows who asks.
    if (!this.ready) return Promise.reject(new Error("not connected"));
    const socket = this.socket.timeout(ACK_TIMEOUT) as unknown as {
      emitWithAck(event: string, payload: object): Promise<Answer<Fields>>;
    };
    return socket.emitWithAck(event, payload);
  }

  private authenticate() {
    if (this.token) this.socket.emit("authentication", { token: this.token, conversations: this.listener.offsets() });
  }

  private welcome() {
    this.ready = this.wasConnected = true;
    this.tokenRefused = false;
    this.backoff.reset();
    this.showState();
    this.listener.authenticated();
  }

  /** The token may have been deleted while the session lives on; a second refusal is final. */
  private refused(ack?: () => void) {
    ack?.();
    this.token = null;
    if (this.tokenRefused) void signIn();
    this.tokenRefused = true;
  }

  private lost() {
    this.ready = false;
    this.showState();
    this.retry ??= window.setTimeout(() => this.open(), this.backoff.next());
  }

  private hurry() {
    if (this.retry === undefined) return this.showState();
    clearTimeout(this.retry);
    void this.open();
  }

  private showState() {
    if (this.ready) this.listener.stateChanged("connected");
    else if (!navigator.onLine) this.listener.stateChanged("offline");
    else this.listener.stateChanged(this.wasConnected ? "reconnecting" : "connecting");
  }
}
