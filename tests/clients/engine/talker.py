"""Holds conversations with the server of examples/conformance, as the Talker of conversations.mjs does.

Usage: talker.py URL TRANSPORT...

Each line of input is a conversation, {"kind": ..., "said": [...]}, where {"base64": ...} stands for bytes. The answer is a
line, too: what went wrong, or null.
"""

import base64
import concurrent.futures
import importlib.metadata
import json
import queue
import sys
import threading
import time

import socketio
from engineio.payload import Payload

# Unless it is told, the library refuses an answer to a poll that brings more packets than 16.
Payload.max_decode_packets = 1000
# As what the library reads bytes of which there are none.
NO_BYTES = b"" if importlib.metadata.version("python-socketio") >= "5" else None
DEADLINE_SECONDS = 8


class Talker:
    def __init__(self, url, transports):
        self.url = url
        self.transports = transports
        self.client = socketio.Client(reconnection=False)
        self.connected = threading.Event()
        self.heard = queue.Queue()
        self.answer = None
        self.client.on("connect", self.connected.set)
        for event in ("message-back", "emit-with-ack"):
            self.client.on(event, self.hears)

    def holds(self, kind, said):
        """Holds the conversation at once, and again when any upgrade is over."""
        converse = getattr(self, kind)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            # Does not wait for connect(), which returns when the upgrade is over.
            at_once = pool.submit(self.once_connected, converse, said)
            self.client.connect(self.url, transports=self.transports)
            try:
                at_once.result(DEADLINE_SECONDS)
                same(self.client.transport(), self.transports[-1])
                converse(said)
            finally:
                self.client.disconnect()

    def once_connected(self, converse, said):
        if not self.connected.wait(DEADLINE_SECONDS):
            raise TimeoutError("not connected")
        converse(said)

    def hears(self, *arguments):
        self.heard.put(list(arguments))
        return self.answer

    def next_heard(self):
        return self.heard.get(timeout=DEADLINE_SECONDS)

    def ask(self, event, said):
        answers = queue.Queue()
        self.client.emit(event, tuple(said), callback=lambda *answer: answers.put(list(answer)))
        return answers.get(timeout=DEADLINE_SECONDS)

    def echo(self, said):
        self.client.emit("message", tuple(said))
        same(self.next_heard(), said)

    def acknowledgement(self, said):
        same(self.ask("message-with-ack", said), said)

    def spelling(self, said):
        [text] = said
        same(self.ask("spell", said), [list(text) if isinstance(text, bytes) else [ord(character) for character in text]])

    def answer_with(self, said):
        self.answer = tuple(said)
        self.client.emit("emit-with-ack", "what?")
        same(self.next_heard(), ["what?"])
        same(self.next_heard(), said)

    def counting(self, _):
        """Sends hundreds of messages from the first moment on: all of them come back, and none twice.

        In which order is not to be seen: the library hears each in a thread of its own.
        """
        count = 0
        while count < 100 or self.client.transport() != self.transports[-1]:
            self.client.emit("message", count)
            count += 1
            if count > 100:
                time.sleep(0.001)
        for _ in range(100):
            self.client.emit("message", count)
            count += 1
        same(sorted(self.next_heard()[0] for _ in range(count)), list(range(count)))
        self.ask("message-with-ack", [])
        same(self.heard.qsize(), 0)


def same(heard, said):
    said = as_read(said)
    if heard != said:
        heard, said = repr(heard), repr(said)
        at = next((n for n, (one, other) in enumerate(zip(heard, said)) if one != other), min(len(heard), len(said)))
        around = slice(max(0, at - 30), at + 90)
        raise AssertionError(f"heard …{heard[around]}… instead of …{said[around]}… (character {at})")


def as_read(said):
    if isinstance(said, list):
        return [as_read(item) for item in said]
    if isinstance(said, dict):
        return {key: as_read(item) for key, item in said.items()}
    return NO_BYTES if said == b"" else said


def with_bytes(json_object):
    return base64.b64decode(json_object["base64"]) if "base64" in json_object else json_object


def main():
    _, url, *transports = sys.argv
    for line in sys.stdin:
        conversation = json.loads(line, object_hook=with_bytes)
        kind = {"answer": "answer_with"}.get(conversation["kind"], conversation["kind"])
        try:
            Talker(url, transports).holds(kind, conversation["said"])
            error = None
        except Exception as exception:
            error = f"{type(exception).__name__}: {exception}"
        print(json.dumps(error), flush=True)


main()
