"""Receives webhooks of the dialect cloudcusp."""

import hashlib
import hmac
import os
import sys

from flask import Flask, request

from inbox import Inbox

SECRET = os.environ.get("WEBHOOK_SECRET") or sys.exit("Set WEBHOOK_SECRET: without it, anybody could sign")


def verify(body: bytes, signature: str, secret: str) -> bool:
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())  # bytes: of texts it takes only ASCII


def work(call):
    print(f"{call['event_type']}: {call['subscriber']['email']}", flush=True)


inbox = Inbox(os.environ.get("INBOX", "inbox.db"), work)
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 4 << 20


@app.post("/webhooks/cloudcusp")
def cloudcusp():
    body = request.get_data()  # the bytes as they came; json.dumps(request.json) would be others
    if not verify(body, request.headers.get("X-Webhook-Signature", ""), SECRET):
        return {"success": False, "message": "Invalid signature"}, 401
    # The id is in the body, where the signature covers it, if the webhook adds it there (see README.md).
    inbox.keep(request.json.get("id") or request.headers.get("Postroom-Delivery"), body)
    return {"success": True, "message": "Webhook stored", "processed_records": 1}


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
