// Receives webhooks of the dialect cooby. Nothing is signed: that only the sender knows the URL is what proves it.
import { createHash, timingSafeEqual } from 'node:crypto';
import express from 'express';
import { openInbox } from './inbox.js';

const { WEBHOOK_KEY: key, PORT = '3000', INBOX = 'inbox' } = process.env;
if (!key) throw new Error('Set WEBHOOK_KEY to a long random text: openssl rand -hex 32');

const digest = (text) => createHash('sha256').update(text).digest();
const isKey = (given) => timingSafeEqual(digest(given), digest(key)); // digests are equally long

const keep = await openInbox(INBOX, ({ direction, chat_title, message }) => {
  console.log(`${direction} in ${chat_title}: ${message.type}`);
});

const app = express();

app.post('/webhooks/cooby/:key', (req, res, next) => {
  isKey(req.params.key) ? next() : res.sendStatus(401); // before the body is read
}, express.raw({ limit: '4mb', type: () => true }), async (req, res) => {
  await keep(req.get('postroom-delivery'), req.body ?? '');
  res.sendStatus(204);
});

// Anything but 2xx makes the sender try again.
app.use((err, req, res, next) => {
  if (!err.status) console.error(err);
  res.sendStatus(err.status ?? 500);
});

const server = app.listen(Number(PORT), '127.0.0.1', () => console.log(`Listening on http://127.0.0.1:${server.address().port}`));
