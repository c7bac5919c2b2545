"""The inbox stores a call before it is answered, and does its work afterwards, in a thread. A call's id is the key of its row, so that a
repeat changes nothing. Delete rows that are done and older than the sender's last retry."""

import json
import logging
import sqlite3
import threading
from contextlib import closing


class Inbox:
    def __init__(self, path, work):
        """path: the SQLite file. work gets each call's JSON; what it raises leaves the call for the next time."""
        self.path, self.work = path, work
        with closing(self._open()) as db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS inbox"
                " (id TEXT PRIMARY KEY, body BLOB NOT NULL, done INTEGER NOT NULL DEFAULT 0)"
            )
        self.arrived = threading.Event()
        self.arrived.set()  # look at once for what an earlier process left undone
        threading.Thread(target=self._run, daemon=True).start()

    def keep(self, id, body):
        if not id:
            raise ValueError("a call without an id cannot be told from its repeat")
        with closing(self._open()) as db:
            db.execute("INSERT INTO inbox (id, body) VALUES (?, ?) ON CONFLICT DO NOTHING", (id, body))
        self.arrived.set()

    def _open(self):
        return sqlite3.connect(self.path, timeout=10, isolation_level=None)  # each statement is a transaction

    def _run(self):
        while self.arrived.wait():
            self.arrived.clear()
            with closing(self._open()) as db:
                for id, body in db.execute("SELECT id, body FROM inbox WHERE NOT done ORDER BY rowid").fetchall():
                    try:
                        self.work(json.loads(body))
                        db.execute("UPDATE inbox SET done = 1 WHERE id = ?", (id,))
                    except Exception:
                        logging.exception("%s is left for the next time", id)
