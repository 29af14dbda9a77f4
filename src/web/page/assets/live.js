// One house, live: its environment document and what its screens report, kept in step over the WebSocket.

import { askJson } from './api.js';

/** RFC 7396: the target with the patch merged in; neither is changed. */
export function merge(target, patch) {
  if (!isObject(patch)) return patch;
  const out = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = merge(out[key], value);
  }
  return out;
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/** The close code that says that one may no longer come in, see docs/protocol.md. */
const REVOKED = 4004;
const PING_LIMIT_MS = 75_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
const STABLE_MS = 60_000;

export class LiveHouse {
  constructor(id) {
    this.id = id;
    /** The document, once it is known. */
    this.document = undefined;
    /** Screen id to `{ online, seen, state }`. */
    this.reports = {};
    /** "connecting", "live" or "offline". */
    this.link = 'connecting';
    /** Set when the house is not there (any more). */
    this.missing = false;
    /** Set when the house says that one may no longer come in; it stays so until `comeBack`. */
    this.barred = false;
    /** Set by who is just removing the house. */
    this.leaving = false;
    this.epoch = undefined;
    this.rev = undefined;
    this.listeners = new Set();
    this.writes = new Map();
    this.tries = 0;
    this.closed = false;
    this.wake = () => document.visibilityState === 'visible' && this.#retryNow();
    window.addEventListener('online', this.wake);
    document.addEventListener('visibilitychange', this.wake);
    this.#load();
    this.#askReports();
    this.#connect();
  }

  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close() {
    this.closed = true;
    window.removeEventListener('online', this.wake);
    document.removeEventListener('visibilitychange', this.wake);
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.socket?.close();
  }

  /**
   * Changes a resource: `save('screens', 's1', { name })`, `save('house', id, { volume })`. Null removes a field.
   *
   * A change is of what was there when it was made: it goes with that revision, or with the one that our own change before
   * it has made. Where that one is refused, so is a later one of the same fields, which was made upon it.
   */
  save(kind, id, patch) {
    const key = `${kind}/${id}`;
    const seen = (kind === 'house' ? this.document?.house : this.document?.[kind]?.[id])?.rev;
    const fields = Object.keys(patch);
    const before = this.writes.get(key);
    const turn = (async () => {
      const rev = (await before?.done(fields)) ?? seen;
      const now = await askJson('PATCH', this.path(kind, id), { json: patch, rev });
      this.#put(kind, id, now);
      return now;
    })();
    /** The revision that this change has made; none where it was refused, and its error for those made upon it. */
    const done = (later) =>
      turn.then(
        ({ rev }) => rev,
        (error) => {
          if (fields.some((field) => later.includes(field))) throw error;
        },
      );
    const write = { done };
    this.writes.set(key, write);
    const forget = () => this.writes.get(key) === write && this.writes.delete(key);
    turn.then(forget, forget);
    return turn;
  }

  /** Makes a resource and returns it with its id. */
  async make(kind, body) {
    const made = await askJson('POST', `/houses/${this.id}/${kind}`, { json: body });
    this.#put(kind, made.id, made);
    return made;
  }

  async remove(kind, id) {
    await askJson('DELETE', this.path(kind, id), { rev: this.document?.[kind]?.[id]?.rev });
    if (!this.document?.[kind]?.[id]) return;
    this.document = merge(this.document, { [kind]: { [id]: null } });
    this.#tell();
  }

  /** Tells a screen, a group or (kind "house") every screen to do something. */
  command(kind, id, command) {
    return askJson('POST', `${this.path(kind, id)}/commands`, { json: command });
  }

  path(kind, id) {
    return kind === 'house' ? `/houses/${this.id}` : `/houses/${this.id}/${kind}/${id}`;
  }

  /** Reads a resource anew, after a refusal, so that the next change starts from what the house has. */
  async refresh(kind, id) {
    this.#put(kind, id, await askJson('GET', this.path(kind, id)));
  }

  #put(kind, id, resource) {
    if (!this.document || !resource) return;
    const { id: _id, ...fields } = resource;
    if (kind === 'house') this.#keepNewer(this.document, 'house', { id, ...fields });
    else this.#keepNewer(this.document[kind] ?? {}, id, fields, kind);
    this.#tell();
  }

  /** An answer may come after a patch that is newer: the higher revision stays. */
  #keepNewer(map, key, value, kind) {
    if ((map[key]?.rev ?? 0) > (value.rev ?? 0)) return;
    const next = { ...map, [key]: value };
    this.document = kind ? { ...this.document, [kind]: next } : next;
  }

  /** The first picture comes by plain requests, so that the page is there even where WebSockets are not let through. */
  async #load() {
    try {
      const document = await askJson('GET', `/houses/${this.id}/environment`);
      this.document ??= document;
      this.#tell();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** What the screens reported before this page was there, or while it was away. */
  #askReports() {
    return askJson('GET', `/houses/${this.id}/reports`).then(
      (reports) => this.#reported(reports),
      (error) => this.#failed(error),
    );
  }

  #failed(error) {
    if (error.status === 404) {
      this.missing = true;
      this.#tell();
    } else if (this.socket?.readyState !== WebSocket.OPEN) {
      this.#say('offline');
    }
  }

  #connect() {
    clearTimeout(this.timer);
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(`${scheme}//${location.host}/api/v1/environment?house=${encodeURIComponent(this.id)}`);
    this.socket = socket;
    let opened;
    socket.addEventListener('open', () => {
      opened = performance.now();
      this.#hello(this.rev !== undefined);
      this.#heard();
    });
    socket.addEventListener('message', (event) => {
      this.#heard();
      this.#message(JSON.parse(event.data));
    });
    socket.addEventListener('close', ({ code }) => {
      if (this.closed || socket !== this.socket) return;
      if (opened !== undefined && performance.now() - opened > STABLE_MS) this.tries = 0;
      if (code === REVOKED) {
        this.barred = true;
        this.link = 'offline';
        this.#tell();
        return;
      }
      this.#say('offline');
      this.#later();
    });
  }

  #later() {
    const ceiling = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.tries);
    this.tries += 1;
    this.timer = setTimeout(() => this.#reconnect(), 200 + Math.random() * ceiling);
  }

  /** One may come in after all. */
  comeBack() {
    if (!this.barred || this.closed) return;
    this.barred = false;
    this.#later();
  }

  /** A refused WebSocket shows no status: the plain request finds out whether one is still signed in and a member. */
  #reconnect() {
    if (this.missing) return;
    this.#askReports();
    this.#connect();
  }

  #retryNow() {
    if (this.closed || this.barred || this.link !== 'offline' || this.socket.readyState <= WebSocket.OPEN) return;
    this.tries = 0;
    this.#reconnect();
  }

  /** Browsers answer pings themselves and show none, so the page asks with a hello when it heard nothing for long. */
  #heard() {
    clearTimeout(this.silence);
    const socket = this.socket;
    this.silence = setTimeout(() => {
      if (socket.readyState !== WebSocket.OPEN) return;
      this.#hello(this.rev !== undefined);
      this.silence = setTimeout(() => socket.close(), 10_000);
    }, PING_LIMIT_MS - 10_000);
  }

  #hello(known) {
    const place = known ? { epoch: this.epoch, rev: this.rev } : {};
    this.socket.send(JSON.stringify({ type: 'hello', proto: 1, ...place, version: 'page' }));
  }

  #message(frame) {
    switch (frame.type) {
      case 'snapshot':
        this.document = frame.document;
        this.epoch = frame.epoch;
        this.rev = frame.rev;
        this.resyncing = false;
        this.#say('live');
        break;
      case 'patch':
        this.#patch(frame);
        break;
      case 'reported':
        this.#reported({ screens: { [frame.screen]: frame } });
        return;
      default:
        return;
    }
    this.#tell();
  }

  #patch(frame) {
    if (this.resyncing) return;
    if (frame.epoch !== this.epoch || (frame.base_rev !== this.rev && frame.rev > this.rev)) {
      this.resyncing = true;
      this.#hello(false);
      return;
    }
    if (frame.rev > this.rev) {
      this.document = merge(this.document, frame.patch);
      this.rev = frame.rev;
    }
    this.#say('live');
  }

  #reported({ screens }) {
    const next = { ...this.reports };
    for (const [screen, { online = true, seen, state }] of Object.entries(screens)) {
      const known = next[screen] ?? {};
      next[screen] = {
        online,
        seen: seen ?? (online ? new Date().toISOString() : known.seen),
        state: state ?? known.state,
      };
    }
    this.reports = next;
    this.#tell();
  }

  #say(link) {
    if (this.link === link) return;
    this.link = link;
    this.#tell();
  }

  #tell() {
    if (this.closed) return;
    this.listeners.forEach((listener) => listener(this));
  }
}

let open;

/** The house that the page shows; opening another closes the one before. */
export function openHouse(id) {
  if (open?.id === id && !open.missing && !open.barred && !open.closed) return open;
  open?.close();
  open = new LiveHouse(id);
  return open;
}

/** The open house with this id, if it is that one. */
export function houseInView(id) {
  return open?.id === id ? open : undefined;
}
