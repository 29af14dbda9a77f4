// Uploads in pieces that survive a network fault: after one, the house is asked how far it got, and the rest is sent.

import { ask, askJson, ApiError, words } from './api.js';

const PIECE_BYTES = 4 * 1024 * 1024;
const PIECE_PATIENCE_MS = 120_000;
const LONGEST_WAIT_MS = 30_000;

export class Uploads {
  constructor(houseId) {
    this.houseId = houseId;
    /** Each `{ key, name, size, sent, state, error, item }`; the state is waiting, sending, retrying, done, failed. */
    this.entries = [];
    this.listeners = new Set();
    this.running = false;
  }

  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Takes files in; resolves with the items made of them, in order, without those that failed. */
  add(files) {
    const taken = [...files].map((file) => {
      const entry = {
        key: `u${(Uploads.count += 1)}`,
        file,
        name: file.name,
        size: file.size,
        sent: 0,
        state: 'waiting',
      };
      entry.finished = new Promise((resolve) => {
        entry.finish = resolve;
      });
      return entry;
    });
    this.entries = [...this.entries, ...taken];
    this.#tell();
    this.#run();
    return Promise.all(taken.map(({ finished }) => finished)).then((items) => items.filter(Boolean));
  }

  /** Gives an upload up, or takes a finished one off the list. */
  drop(entry) {
    entry.given = true;
    entry.wake?.();
    this.entries = this.entries.filter((other) => other !== entry);
    if (entry.id && entry.state !== 'done') this.#delete(entry);
    entry.finish(entry.item);
    this.#tell();
  }

  retry(entry) {
    Object.assign(entry, { state: 'waiting', error: undefined });
    this.#tell();
    this.#run();
  }

  get busy() {
    return this.entries.some(({ state }) => ['waiting', 'sending', 'retrying'].includes(state));
  }

  #delete(entry) {
    ask('DELETE', `/houses/${this.houseId}/uploads/${entry.id}`).catch(() => undefined);
  }

  async #run() {
    if (this.running) return;
    this.running = true;
    for (;;) {
      const entry = this.entries.find(({ state }) => state === 'waiting');
      if (!entry) break;
      await this.#send(entry);
    }
    this.running = false;
  }

  async #send(entry) {
    let faults = 0;
    for (;;) {
      try {
        this.#state(entry, 'sending');
        await this.#pieces(entry, () => {
          faults = 0;
        });
        if (entry.given) return;
        this.#state(entry, 'done');
        entry.finish(entry.item);
        return;
      } catch (error) {
        if (entry.given) return;
        const passing =
          error instanceof ApiError && (error.kind !== 'refused' || error.status >= 500 || error.status === 429);
        if (!passing && error.status !== 409 && error.status !== 404) {
          entry.error = words(error);
          this.#state(entry, 'failed');
          return;
        }
        if (error.status === 404) entry.id = undefined;
        faults += 1;
        if (!passing && faults > 3) {
          entry.error = words(error);
          this.#state(entry, 'failed');
          return;
        }
        entry.resume = true;
        this.#state(entry, 'retrying');
        await this.#pause(entry, Math.min(LONGEST_WAIT_MS, 1000 * 2 ** (faults - 1)));
        if (entry.given) return;
      }
    }
  }

  async #pieces(entry, worked) {
    const base = `/houses/${this.houseId}/uploads`;
    if (!entry.id) {
      entry.sent = 0;
      entry.id = (await askJson('POST', base, { json: { name: entry.name, size: entry.size } })).id;
    } else if (entry.resume) {
      const head = await ask('HEAD', `${base}/${entry.id}`);
      entry.sent = Number(head.headers.get('Upload-Offset'));
    }
    entry.resume = false;
    do {
      const response = await ask('PATCH', `${base}/${entry.id}`, {
        body: entry.file.slice(entry.sent, entry.sent + PIECE_BYTES),
        headers: { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(entry.sent) },
        patience: PIECE_PATIENCE_MS,
      });
      worked();
      if (response.status === 200) entry.item = (await response.json()).item;
      entry.sent = Number(response.headers.get('Upload-Offset') ?? Math.min(entry.size, entry.sent + PIECE_BYTES));
      if (entry.item) entry.sent = entry.size;
      this.#tell();
    } while (!entry.item && !entry.given);
  }

  /** Waits, but no longer than until the network is back. */
  #pause(entry, ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      function done() {
        clearTimeout(timer);
        window.removeEventListener('online', done);
        resolve();
      }
      entry.wake = done;
      window.addEventListener('online', done);
    });
  }

  #state(entry, state) {
    entry.state = state;
    this.#tell();
  }

  #tell() {
    this.listeners.forEach((listener) => listener());
  }
}

Uploads.count = 0;

const open = new Map();

/** The uploads of a house; they go on while the page shows something else. */
export function uploadsOf(houseId) {
  if (!open.has(houseId)) open.set(houseId, new Uploads(houseId));
  return open.get(houseId);
}

window.addEventListener('beforeunload', (event) => {
  if ([...open.values()].some(({ busy }) => busy)) event.preventDefault();
});
