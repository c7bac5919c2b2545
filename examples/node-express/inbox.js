// The inbox stores a call before it is answered, and does its work afterwards. Each call is a file that is named after its id: a repeat
// finds it there. An empty file is a call whose work is done; delete those that are older than the sender's last retry.
import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';

/**
 * Opens the inbox in a folder, and does what an earlier process left undone.
 * @param {string} dir
 * @param {(body: any) => unknown} work gets each call's JSON; what it throws leaves the call for the next start
 * @returns {Promise<(id: string, body: Buffer | string) => Promise<void>>} stores a call
 */
export async function openInbox(dir, work) {
  await fs.mkdir(dir, { recursive: true });
  let queue = Promise.resolve(); // one after the other

  const later = (file) => {
    queue = queue.then(async () => {
      const body = await fs.readFile(file, 'utf8');
      if (body === '') return;
      await work(JSON.parse(body));
      await fs.truncate(file);
    }).catch((err) => console.error(`${file} is left for the next start:`, err));
  };

  for (const name of await fs.readdir(dir)) {
    if (!name.endsWith('.part')) later(path.join(dir, name));
  }

  return async function keep(id, body) {
    if (!id) throw new Error('a call without an id cannot be told from its repeat');
    const file = path.join(dir, createHash('sha256').update(String(id)).digest('hex'));
    const part = `${file}.${randomUUID()}.part`;
    await fs.writeFile(part, body, { flush: true });
    try {
      await fs.link(part, file); // whole, or not at all; fails if it is there
      later(file);
    } catch (err) {
      if (err.code !== 'EEXIST') throw err;
    } finally {
      await fs.unlink(part);
    }
  };
}
