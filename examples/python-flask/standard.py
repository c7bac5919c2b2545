"""Receives webhooks of the dialect standard: Standard Webhooks, verified by hand."""

import base64
import hmac
import os
import re
import sys
import time

from flask import Flask, request

from inbox import Inbox

SECRET = os.environ.get("WEBHOOK_SECRET") or sys.exit("Set WEBHOOK_SECRET to what Postroom showed: whsec_…")
TOLERANCE = 300  # seconds


def verify(body: bytes, headers, secret: str) -> bool:
    id, timestamp = headers.get("Webhook-Id", ""), headers.get("Webhook-Timestamp", "")
    if not re.fullmatch("[0-9]{1,12}", timestamp) or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, "sha256")
    expected = b"v1," + base64.b64encode(mac)
    given = headers.get("Webhook-Signature", "").split()  # several, while the secret is being rotated
    return any(hmac.compare_digest(expected, signature.encode()) for signature in given)


def work(call):
    print(f"{call['type']}: {call['data'].get('contact', {}).get('email')}", flush=True)


inbox = Inbox(os.environ.get("INBOX", "inbox.db"), work)
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 4 << 20


@app.post("/webhooks/standard")
def standard():
    body = request.get_data()  # the bytes as they came
    if not verify(body, request.headers, SECRET):
        return "Invalid signature", 401
    inbox.keep(request.headers["Webhook-Id"], body)
    return "", 204


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
