// Sendook's client is not on the registry. This makes the calls that it makes, with the headers of the HTTP library that it uses.
import assert from 'node:assert/strict';
import axios from 'axios';

const { BASE, KEY, HOOK: url } = process.env;
const http = axios.create({ baseURL: BASE, headers: { Authorization: `Bearer ${KEY}` } });
const webhook = {
  list: async () => (await http.get('/v1/webhooks')).data,
  create: async (params) => (await http.post('/v1/webhooks', params)).data,
  get: async (id) => (await http.get(`/v1/webhooks/${id}`)).data,
  test: async (id) => (await http.post(`/v1/webhooks/${id}/test`, {})).data,
  delete: async (id) => (await http.delete(`/v1/webhooks/${id}`)).data,
  attempts: async (id) => (await http.get(`/v1/webhooks/${id}/attempts`)).data,
};

const created = await webhook.create({ url, events: ['message.received'] });
assert.match(created._id, /^[0-9a-f]{24}$/);
assert.deepEqual([created.url, created.events], [url, ['message.received']]);
assert.equal((await webhook.get(created._id))._id, created._id);
assert.deepEqual((await webhook.list()).map((w) => w._id), [created._id]);
assert.deepEqual(await webhook.test(created._id), { success: true });
const [attempt] = await webhook.attempts(created._id);
assert.deepEqual([attempt.status, attempt.error, attempt.payload.event, attempt.webhookId], [204, null, 'message.received', created._id]);
assert.equal((await webhook.delete(created._id))._id, created._id);
await assert.rejects(webhook.get(created._id), (e) => e.response.status === 404 && e.response.data.error === 'Webhook not found');
await assert.rejects(webhook.create({ url, events: [] }), (e) => e.response.status === 400 && e.response.data.errors[0].path === 'events');
