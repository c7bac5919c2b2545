"""Receives webhooks of the dialect sendook. Nothing is signed: the bearer token proves who calls."""

import hmac
import os
import sys

from flask import Flask, request

from inbox import Inbox

TOKEN = os.environ.get("WEBHOOK_TOKEN") or sys.exit("Set WEBHOOK_TOKEN to a long random text: openssl rand -hex 32")


def verify(authorization: str, token: str) -> bool:
    return hmac.compare_digest(f"Bearer {token}".encode(), authorization.encode())


def work(call):
    payload = call["payload"]
    if call["event"] == "message.received":
        print(f"{call['event']}: from {payload.get('from')}", flush=True)
    else:
        print(f"{call['event']}: {call.get('messageId') or call.get('inboxId')}", flush=True)


inbox = Inbox(os.environ.get("INBOX", "inbox.db"), work)
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 4 << 20


@app.post("/webhooks/sendook")
def sendook():
    if not verify(request.headers.get("Authorization", ""), TOKEN):  # before the body is read
        return "Unauthorized", 401
    inbox.keep(request.headers.get("Postroom-Delivery"), request.get_data())
    return "", 204


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
