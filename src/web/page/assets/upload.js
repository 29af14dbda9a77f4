// Uploads in pieces that survive a network fault and a reload of the page: after one, the house is asked how far it
// got, and the rest is sent. A page that was reloaded has the file only when it is chosen again; which ones are to be
// continued is kept in the browser.

import { ask, askJson, ApiError, sentence, words } from './api.js';
import { recall, remember } from './memory.js';

const PIECE_BYTES = 4 * 1024 * 1024;
const PIECE_PATIENCE_MS = 120_000;
const LONGEST_WAIT_MS = 30_000;
const STORE = 'house_uploads';
/** The house keeps an upload for a week. */
const KEPT_MS = 7 * 24 * 3600 * 1000;

/** What every house's unfinished uploads are, each `{ id, name, size, modified, begun }`. */
const stored = () => Object(recall(STORE) ?? {});

/** A fault after which the same request may go well: not a refusal, and not a disk that is full. */
const passes = (error) =>
  error instanceof ApiError &&
  (error.kind !== 'refused' || error.status === 429 || (error.status >= 500 && error.status !== 507));

/** The item that an upload has become; an answer that is cut is asked for again. */
const itemOf = (response) =>
  response.json().then(
    ({ item }) => item,
    () => {
      throw new ApiError('offline');
    },
  );

export class Uploads {
  constructor(houseId) {
    this.houseId = houseId;
    /**
     * Each `{ key, name, size, sent, state, error, trouble, item }`; the state is waiting, sending, retrying, done,
     * failed; `trouble` is what the house said that it waits for.
     */
    this.entries = [];
    /** Uploads of before that want their file again, each `{ id, name, size, modified, begun, sent }`. */
    this.left = this.#kept().filter(({ begun }) => Date.now() - begun < KEPT_MS);
    this.listeners = new Set();
    this.running = false;
    this.#keep(this.left);
    this.left.forEach((one) => this.#look(one));
    window.addEventListener('storage', ({ key }) => key === STORE && this.#elsewhere());
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
        ...this.#continued(file),
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
    if (entry.id && entry.state !== 'done') this.giveUp(entry.id);
    entry.finish(entry.item);
    this.#tell();
  }

  /** Gives up an upload of before. */
  giveUp(id) {
    this.#forget(id);
    ask('DELETE', `/houses/${this.houseId}/uploads/${id}`).catch(() => undefined);
    this.#tell();
  }

  retry(entry) {
    Object.assign(entry, { state: 'waiting', error: undefined, resume: entry.id !== undefined });
    this.#tell();
    this.#run();
  }

  get busy() {
    return this.entries.some(({ state }) => ['waiting', 'sending', 'retrying'].includes(state));
  }

  #kept() {
    const own = stored()[this.houseId];
    return Array.isArray(own) ? own : [];
  }

  #keep(list) {
    remember(STORE, { ...stored(), [this.houseId]: list.map(({ sent: _sent, ...one }) => one) });
  }

  #forget(id) {
    this.left = this.left.filter((one) => one.id !== id);
    this.#keep(this.#kept().filter((one) => one.id !== id));
  }

  /** Another window has finished or given up some: they are to be continued nowhere. */
  #elsewhere() {
    const kept = new Set(this.#kept().map(({ id }) => id));
    this.left = this.left.filter(({ id }) => kept.has(id));
    this.#tell();
  }

  /** Asks how far an upload of before is; one that is over is forgotten. */
  async #look(one) {
    try {
      const head = await ask('HEAD', `/houses/${this.houseId}/uploads/${one.id}`);
      one.sent = Number(head.headers.get('Upload-Offset'));
      if (one.sent >= one.size) this.#forget(one.id);
    } catch (error) {
      if (error.status === 404 || error.status === 410) this.#forget(one.id);
    }
    this.#tell();
  }

  /** Where a file goes on that was begun before: nothing for one that is new. */
  #continued({ name, size, lastModified }) {
    const one = this.left.find((left) => left.name === name && left.size === size && left.modified === lastModified);
    if (!one) return {};
    this.left = this.left.filter((other) => other !== one);
    return { id: one.id, sent: one.sent ?? 0, resume: true, continued: true };
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
        this.#forget(entry.id);
        this.#state(entry, 'done');
        entry.finish(entry.item);
        return;
      } catch (error) {
        if (entry.given) return;
        const passing = passes(error);
        const lost = error.status === 404 || error.status === 410;
        if (lost) {
          this.#forget(entry.id);
          entry.id = undefined;
        }
        faults += 1;
        if (!passing && ((error.status !== 409 && !lost) || faults > 3)) {
          entry.error = words(error);
          this.#state(entry, 'failed');
          return;
        }
        // The house has no such upload any more: it begins anew at once.
        if (lost && entry.continued) {
          entry.continued = false;
          continue;
        }
        entry.resume = true;
        entry.trouble = sentence(error.detail);
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
      if (entry.given) {
        this.giveUp(entry.id);
        return;
      }
      const { id, name, size, file } = entry;
      this.#keep([...this.#kept(), { id, name, size, modified: file.lastModified, begun: Date.now() }]);
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
      if (response.status === 200) entry.item = await itemOf(response);
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
