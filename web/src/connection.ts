import { io, type Socket } from "socket.io-client";
import { fetchToken, signIn } from "./api";
import { Backoff } from "./backoff";
import type { Message } from "./message";

export type State = "connecting" | "connected" | "reconnecting" | "offline";

/** The server replays only so much: messages after `after` and before `next` are not sent. */
export interface Gap {
  conversation: number;
  after: number;
  next: number;
}

export type Ack = { ok: true; seq: number } | { ok: false; error: { code: string; message: string } };

interface FromServer {
  authenticated: (success: true) => void;
  unauthorized: (reason: { message: string }, ack?: () => void) => void;
  "server-got-message": (message: Message) => void;
  "history-gap": (gap: Gap) => void;
}

interface ToServer {
  authentication: (credentials: { token: string; serverOffset: number }) => void;
  "client-sent-message": (message: { message: string; clientOffset: string }, ack: (answer: Ack) => void) => void;
}

export interface Listener {
  /** The seq up to which nothing is missing here. */
  offset(): number;
  stateChanged(state: State): void;
  authenticated(): void;
  received(message: Message): void;
  missed(gap: Gap): void;
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

  constructor(private readonly listener: Listener) {
    this.socket
      .on("connect", () => this.authenticate())
      .on("authenticated", () => this.welcome())
      .on("unauthorized", (_reason, ack) => this.refused(ack))
      .on("server-got-message", (message) => listener.received(message))
      .on("history-gap", (gap) => listener.missed(gap))
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

  get isReady() {
    return this.ready;
  }

  async open() {
    this.retry = undefined;
    this.showState();
    try {
      this.token ??= await fetchToken();
    } catch {
      return this.lost();
    }
    this.socket.connect();
  }

  /** Rejects when no answer came: after a while, or because the connection was lost. */
  say(message: string, clientOffset: string): Promise<Ack> {
    return this.socket.timeout(ACK_TIMEOUT).emitWithAck("client-sent-message", { message, clientOffset });
  }

  private authenticate() {
    if (this.token) this.socket.emit("authentication", { token: this.token, serverOffset: this.listener.offset() });
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
