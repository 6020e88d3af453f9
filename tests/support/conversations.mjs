// What a client says to the server of examples/conformance, and must hear from it. Runs in Node and in pages alike.

const TEXTS = {
  'ASCII': 'hello',
  'é': 'é',
  'emoji': '😀',
  '64 KiB of text': '0123456789é😀'.repeat(4096),
};

/** All 256 bytes, none, and more than one packet of a network holds, side by side and nested. */
const binary = attach => [
  attach(bytes(256)), { list: [attach(bytes(3)), 'é😀', { deep: attach(bytes(65_536)) }], nothing: null }, 7, attach(bytes(0)),
];

/**
 * Each conversation has a `kind`: an `echo` of what is `said`, its `acknowledgement`, an `answer` that the server asks for, its
 * `spelling`, or `counting`. Binary is `said` with the buffers that `attach` makes of bytes.
 */
export const conversations = [
  ...Object.entries(TEXTS).flatMap(([what, text]) => [
    { name: `${what} there and back`, kind: 'echo', said: () => [text] },
    { name: `${what} as an acknowledgement`, kind: 'acknowledgement', said: () => [text] },
    { name: `${what} as the server understands it`, kind: 'spelling', said: () => [text] },
  ]),
  { name: 'binary there and back', kind: 'echo', said: binary },
  { name: 'binary as an acknowledgement', kind: 'acknowledgement', said: binary },
  { name: 'binary as the server understands it', kind: 'spelling', said: attach => [attach(bytes(256))] },
  { name: 'an answer with binary, acknowledged by the client', kind: 'answer', said: binary },
  { name: 'hundreds of messages from the first moment on, in order', kind: 'counting', said: () => [] },
];

function bytes(length) {
  return Uint8Array.from({ length }, (_, n) => n);
}

/** A client that holds conversations: by its `connect`, with the buffers that it can `attach`. */
export class Talker {
  #attach;
  #socket;
  #wanted;
  #connected;
  #failed;

  constructor({ connect, attach = bytes => bytes.buffer }, url, options) {
    this.#attach = attach;
    this.#wanted = options.transports.at(-1);
    this.#socket = connect(url, { forceNew: true, reconnection: false, ...options });
    this.#connected = new Promise(resolve => this.#socket.on('connect', resolve));
    this.#failed = new Promise((_, reject) => {
      for (const event of ['connect_error', 'error', 'disconnect']) {
        this.#socket.on(event, error => reject(new Error(`${event}: ${error?.message ?? error}`)));
      }
    });
    this.#failed.catch(() => {});
  }

  /** Holds the named conversation at once, and again when any upgrade is over: fails unless it hears what it should. */
  async holds(name) {
    const { kind, said } = conversations.find(conversation => conversation.name === name);
    const holds = async () => {
      await this.#connected;
      const settled = this.#settles();
      await Promise.all([this[kind](said(this.#attach)), settled]);
      await this[kind](said(this.#attach));
    };
    await Promise.race([this.#failed, holds()]);
  }

  leave() {
    this.#socket.disconnect();
  }

  get #isSettled() {
    return this.#socket.io.engine.transport.name === this.#wanted;
  }

  /** Waits until the connection travels the way that the client finally wants. */
  #settles() {
    const { engine } = this.#socket.io;
    return this.#isSettled || new Promise((resolve, reject) => {
      engine.on('upgrade', resolve);
      engine.on('upgradeError', error => reject(new Error(`no upgrade: ${error?.message ?? error}`)));
    });
  }

  /** The arguments of the next such event. */
  #hears(event) {
    return new Promise(resolve => this.#socket.once(event, (...heard) => resolve(heard)));
  }

  #asks(event, said) {
    return new Promise(resolve => this.#socket.emit(event, ...said, (...answer) => resolve(answer)));
  }

  async echo(said) {
    const heard = this.#hears('message-back');
    this.#socket.emit('message', ...said);
    assertSame(await heard, said);
  }

  async acknowledgement(said) {
    assertSame(await this.#asks('message-with-ack', said), said);
  }

  async spelling([said]) {
    const expected = typeof said === 'string' ? [...said].map(character => character.codePointAt(0)) : [...new Uint8Array(said)];
    assertSame(await this.#asks('spell', [said]), [expected]);
  }

  async answer(said) {
    const asked = this.#hears('emit-with-ack');
    this.#socket.emit('emit-with-ack', 'what?');
    const [question, acknowledge] = await asked;
    assertSame([question], ['what?']);
    const heard = this.#hears('emit-with-ack');
    acknowledge(...said);
    assertSame(await heard, said);
  }

  /** A hundred messages at once, one at a time while there is an upgrade, and a hundred more: all of them come back in order. */
  async counting() {
    const heard = [];
    this.#socket.on('message-back', number => heard.push(number));
    let count = 0;
    const say = times => { for (let time = 0; time < times; time++) this.#socket.emit('message', count++); };
    say(100);
    while (!this.#isSettled) {
      await new Promise(resolve => setTimeout(resolve));
      say(1);
    }
    say(100);
    // Comes after all of them.
    await this.#asks('message-with-ack', []);
    assertSame(heard, Array.from({ length: count }, (_, n) => n));
  }
}

function assertSame(heard, said) {
  const [actual, expected] = [heard, said].map(list => JSON.stringify(plain(list)));
  if (actual === expected) return;
  const at = [...expected].findIndex((character, n) => character !== actual[n]);
  const around = text => text.slice(Math.max(0, at - 30), at + 90);
  throw new Error(`heard …${around(actual)}… instead of …${around(expected)}… (character ${at})`);
}

/** The same with the bytes of binary as text, whatever kind of buffer holds them. */
function plain(value) {
  if (value instanceof ArrayBuffer) return `bytes ${new Uint8Array(value)}`;
  if (ArrayBuffer.isView(value)) return `bytes ${Uint8Array.from(value)}`;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Object) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  return value;
}
