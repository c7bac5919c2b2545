// Receives webhooks of the dialect cakemail.
import { createHmac, timingSafeEqual } from 'node:crypto';
import express from 'express';
import { openInbox } from './inbox.js';

const { WEBHOOK_SECRET: secret, PORT = '3000', INBOX = 'inbox' } = process.env;
if (!secret) throw new Error('Set WEBHOOK_SECRET: without it, anybody could sign');

function verifyWebhook(payload = '', signature = '', secret) {
  const expected = Buffer.from(createHmac('sha256', secret).update(payload).digest('hex'));
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected); // which throws if the lengths differ
}

const keep = await openInbox(INBOX, ({ event, data }) => {
  switch (event) {
    case 'email.bounced':
      // Remove the address from your list.
      console.log(`Email bounced: ${data.email}`);
      break;
    default:
      console.log(`${event}: ${data.email}`);
  }
});

// The id is in the body, where the signature covers it, if the webhook adds it there (see README.md).
const idOf = (req, body) => body.id ?? req.get('postroom-delivery');

const app = express();
const limits = { limit: '4mb', type: () => true }; // Express takes no more than 100 KB unless it is told

// Over the bytes as they came: right for every sender.
app.post('/webhooks/cakemail', express.raw(limits), async (req, res) => {
  if (!verifyWebhook(req.body, req.get('x-cakemail-signature'), secret)) {
    return res.status(401).send('Invalid signature');
  }
  await keep(idOf(req, JSON.parse(req.body)), req.body);
  res.send('OK');
});

// Over the body parsed and written again, as Cakemail's own example does it. Postroom writes the same bytes as JSON.stringify.
app.post('/webhooks/cakemail/parsed', express.json(limits), async (req, res) => {
  const payload = JSON.stringify(req.body);
  if (!verifyWebhook(payload, req.get('x-cakemail-signature'), secret)) {
    return res.status(401).send('Invalid signature');
  }
  await keep(idOf(req, req.body), payload);
  res.send('OK');
});

// Anything but 2xx makes the sender try again.
app.use((err, req, res, next) => {
  if (!err.status) console.error(err);
  res.sendStatus(err.status ?? 500);
});

const server = app.listen(Number(PORT), '127.0.0.1', () => console.log(`Listening on http://127.0.0.1:${server.address().port}`));
