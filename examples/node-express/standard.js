// Receives webhooks of the dialect standard: Standard Webhooks, with its library.
import express from 'express';
import { Webhook } from 'standardwebhooks';
import { openInbox } from './inbox.js';

const { WEBHOOK_SECRET: secret, PORT = '3000', INBOX = 'inbox' } = process.env;
if (!secret) throw new Error('Set WEBHOOK_SECRET to what Postroom showed: whsec_…');
const webhook = new Webhook(secret);

const keep = await openInbox(INBOX, ({ type, data }) => {
  console.log(`${type}: ${data.contact?.email}`);
});

const app = express();

app.post('/webhooks/standard', express.raw({ limit: '4mb', type: () => true }), async (req, res) => {
  try {
    webhook.verify(req.body ?? '', req.headers); // the signature, and that it is no more than five minutes old
  } catch {
    return res.status(401).send('Invalid signature');
  }
  await keep(req.get('webhook-id'), req.body);
  res.sendStatus(204);
});

// Anything but 2xx makes the sender try again.
app.use((err, req, res, next) => {
  if (!err.status) console.error(err);
  res.sendStatus(err.status ?? 500);
});

const server = app.listen(Number(PORT), '127.0.0.1', () => console.log(`Listening on http://127.0.0.1:${server.address().port}`));
