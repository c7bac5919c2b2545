// What somebody who uses Cakemail's SDK does with webhooks, in both of the ways that it has. The test that runs this checks what arrives.
import assert from 'node:assert/strict';
import { CakemailClient } from '@cakemail-org/cakemail-sdk';

const { BASE: baseURL, KEY: accessToken, HOOK: url } = process.env;
const c = new CakemailClient({ accessToken, baseURL });

const created = await c.webhooks.create({ event: 'Email.Opened', url, rate_limit: 100, rate_limit_period: 'minute' });
assert.deepEqual(created.data, { ...created.data, id: created.id, status: 'active', event: 'Email.Opened', url, archived_at: null, rate_limit: 100, rate_limit_period: 'minute' });
const { signature } = await c.webhooks.get(created.id);
assert.equal(signature.hash_function, 'sha256');

const second = await c.webhookService.createWebhook({ requestBody: { event: 'Email.Bounced', url: url + '/second' } });
assert.deepEqual([second.data.rate_limit, second.data.rate_limit_period], [50, 'second']);
const page = await c.webhookService.listWebhooks({ withCount: true, perPage: 1, page: 2 });
assert.deepEqual(page.pagination, { page: 2, per_page: 1, count: 2 });
assert.equal(page.data[0].id, second.id);

const patched = await c.webhookService.patchWebhook({ webhookId: second.id, requestBody: { rate_limit: 7 } });
assert.deepEqual([patched.object, patched.patched, patched.data.rate_limit], ['Webhook', true, 7]);
assert.equal((await c.webhooks.update(second.id, { url: url + '/moved' })).data.url, url + '/moved');

const archived = await c.webhooks.archive(second.id);
assert.deepEqual([archived.archived, archived.data.status, typeof archived.data.archived_at], [true, 'archived', 'number']);
assert.equal((await c.webhooks.list()).data.length, 1);
assert.equal((await c.webhooks.list({ with_archived: true })).data.length, 2);
const back = await c.webhookService.unarchiveWebhook({ webhookId: second.id });
assert.deepEqual([back.archived, back.data.status], [false, 'active']);

// Its errors, as it shows them to its users.
await assert.rejects(c.webhooks.create({ event: 'Email.Openned', url }), (e) => e.statusCode === 422 && /did you mean email\.opened\?/.test(e.message) && e.requestId !== undefined);
await assert.rejects(c.webhooks.get('X1qRXqz1upM9'), { statusCode: 404, message: 'Webhook not found' });
await assert.rejects(c.webhookService.getWebhook({ webhookId: '0' }), { status: 404 });
await assert.rejects(new CakemailClient({ accessToken: 'prk_wrong', baseURL }).webhooks.list(), { name: 'CakemailAuthError' });

// With an email and a password, of which the password is an API key; and with a token that has to be renewed.
const password = new CakemailClient({ email: 'ada+test@example.com', password: accessToken, baseURL });
assert.equal((await password.webhooks.list()).data.length, 2);
const renewed = new CakemailClient({ accessToken, refreshToken: accessToken, expiresIn: 1, baseURL });
assert.equal((await renewed.webhooks.list()).data.length, 2);
assert.equal((await password.tokenService.createToken({ formData: { grant_type: 'password', username: 'ada@example.com', password: accessToken } })).access_token, accessToken);
await assert.rejects(new CakemailClient({ email: 'ada@example.com', password: 'hush', baseURL }).webhooks.list(), (e) => e.cause.name === 'CakemailAuthError');

console.log(JSON.stringify({ id: created.id, key: signature.key }));
