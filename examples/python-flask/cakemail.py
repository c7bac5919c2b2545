"""Receives webhooks of the dialect cakemail."""

import hashlib
import hmac
import os
import sys

from flask import Flask, request

from inbox import Inbox

SECRET = os.environ.get("WEBHOOK_SECRET") or sys.exit("Set WEBHOOK_SECRET: without it, anybody could sign")


def verify(body: bytes, signature: str, secret: str) -> bool:
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())  # bytes: of texts it takes only ASCII


def work(call):
    event, data = call["event"], call["data"]
    if event == "email.bounced":
        print(f"Email bounced: {data['email']}", flush=True)  # remove the address from your list
    else:
        print(f"{event}: {data.get('email')}", flush=True)


inbox = Inbox(os.environ.get("INBOX", "inbox.db"), work)
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 4 << 20


@app.post("/webhooks/cakemail")
def cakemail():
    body = request.get_data()  # the bytes as they came; json.dumps(request.json) would be others
    if not verify(body, request.headers.get("X-Cakemail-Signature", ""), SECRET):
        return "Invalid signature", 401
    # The id is in the body, where the signature covers it, if the webhook adds it there (see README.md).
    inbox.keep(request.json.get("id") or request.headers.get("Postroom-Delivery"), body)
    return "", 200


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
