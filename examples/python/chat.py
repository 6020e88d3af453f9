"""A terminal chat with python-socketio: python chat.py alice@example.org qwerty"""

import os
import sys
import threading

import requests
import socketio

server = os.environ.get("SERVER_URL", "http://localhost:3000")
email, password = sys.argv[1:]


def sign_in():
    # Refused with 400 when the account is there already, and then signing in is all that is needed.
    requests.post(f"{server}/api/users/", json={"email": email, "password": password})
    answer = requests.post(f"{server}/api/auth/signin/", json={"username": email, "password": password})
    if not answer.ok:
        sys.exit(answer.text)
    return answer.headers["X-Token"]


token = sign_in()
client = socketio.Client()
authenticated = threading.Event()

client.on("connect", lambda: client.emit("authentication", {"token": token}))
client.on("authenticated", lambda _: authenticated.set())
client.on("server-got-message", lambda said: print(said["message"], flush=True))

client.connect(server)
if not authenticated.wait(timeout=10):
    sys.exit("not authenticated")
for line in sys.stdin:
    # Returns when the message is stored.
    answer = client.call("client-sent-message", {"message": line.rstrip("\n")})
    if not answer["ok"]:
        print(f"not sent: {answer['error']['message']}", file=sys.stderr)
client.disconnect()
