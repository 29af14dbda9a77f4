// A house server of paper: the REST and WebSocket of the house with one sample house in memory, for the page's tests.
// `node mock.mjs [PORT]` serves it for looking at (sign in with owner@example.org, password "open the house").
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { sample } from './sample.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const page = join(here, '../../src/web/page');
const require = createRequire(join(process.env.E2E_MODULES ?? here, 'package.json'));
const { WebSocketServer } = require('ws');

export const email = 'owner@example.org';
export const password = 'open the house';

/** The policy of the real server, in one piece: a test of that server looks for it here. */
const csp =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const types = { '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml' };
const collections = { groups: 'g', screens: 's', playlists: 'p', items: 'i' };
const ranks = ['viewer', 'editor', 'owner'];
/** What media may be, by the ending of their name, as in src/web/uploads.rs. */
const videos = {
  ...{ mp4: 'mp4', m4v: 'mp4', mov: 'quicktime', mkv: 'x-matroska' },
  ...{ webm: 'webm', avi: 'x-msvideo', ts: 'mp2t' },
};
const images = { jpg: 'jpeg', jpeg: 'jpeg', png: 'png', webp: 'webp' };
const commands = 'play pause stop next previous goto replay display screenshot identify'.split(' ');
/** Class and title of each refusal, as in src/web/problem.rs. */
const classes = {
  400: ['bad-request', 'Bad request'],
  401: ['not-signed-in', 'Not signed in'],
  403: ['forbidden', 'Not allowed'],
  404: ['not-found', 'Not found'],
  409: ['conflict', 'In the way'],
  410: ['gone', 'Over'],
  412: ['stale', 'Changed meanwhile'],
  413: ['too-large', 'Too large'],
  422: ['invalid', 'Value not possible'],
  428: ['no-revision', 'Revision missing'],
  429: ['too-many', 'Too often'],
  500: ['internal', 'A fault of the server'],
  503: ['unavailable', 'Not possible now'],
  507: ['full', 'Disk full'],
};

/** RFC 7396. */
function merge(target, patch) {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const out = target !== null && typeof target === 'object' && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = merge(out[key], value);
  }
  return out;
}

/** The little of askama that the templates use: extends, block, include-free variables. */
function template(name, variables) {
  let text = readFileSync(join(page, 'templates', name), 'utf8');
  const parent = text.match(/\{%-?\s*extends "([^"]+)"\s*-?%\}/);
  const block = /\{%-?\s*block (\w+)\s*-?%\}([\s\S]*?)\{%-?\s*endblock\s*\w*\s*-?%\}/g;
  if (parent) {
    const blocks = Object.fromEntries([...text.matchAll(block)].map((m) => [m[1], m[2]]));
    text = readFileSync(join(page, 'templates', parent[1]), 'utf8').replace(
      block,
      (_, key, body) => blocks[key] ?? body,
    );
  }
  return text.replace(/\{#[\s\S]*?#\}/g, '').replace(/\{\{\s*(\w+)\s*\}\}/g, (_, key) => variables[key]);
}

class Problem extends Error {
  constructor(status, detail, { key, headers, kind } = {}) {
    super(detail);
    const [name, title] = classes[status] ?? ['internal', 'A fault'];
    this.body = { type: `urn:musebox:problem:${kind ?? name}`, title, status, detail, ...(key && { key }) };
    this.headers = headers;
  }
}

/**
 * Starts the mock; `mock.fault(request)` may answer how to misbehave: "drop" (nothing is done), "lose" (it is done, and
 * the answer is lost), "hang", a status, or `{ status, detail }`.
 */
export async function start(port = 0) {
  const mock = { ...sample(), commands: [], requests: [], fault: () => undefined, url: '', hello: [] };
  const pages = new Set();
  const uploads = new Map();
  /** Ids of uploads that are items by now. */
  const finished = new Set();
  const access = {
    users: [
      { id: 'u1', email, name: 'Claire Aubert', password },
      { id: 'u2', email: 'jon@example.org', name: 'Jon Weir', password: 'an island in the north' },
      { id: 'u3', email: 'mira@example.org', name: 'Mira Sol', password: 'a house on the hill' },
    ],
    members: [
      { id: 'u1', role: 'owner' },
      { id: 'u2', role: 'editor' },
    ],
    tokens: [
      { id: 'k1', name: 'Till system', role: 'viewer', house: 'h1', made: '2026-10-02T09:00:00Z', revoked: false },
      {
        ...{ id: 'k2', name: 'Old till', role: 'viewer', house: 'h1', made: '2026-03-01T09:00:00Z', revoked: true },
        last_used: '2026-09-30T18:00:00Z',
      },
    ],
    alerts: { email: ['owner@example.org'], silent_after_s: 300 },
    /** Token to `{ email, role }`. */
    invitations: new Map(),
  };
  mock.access = access;
  /** The time that the house has. */
  mock.clock = () => Date.now();
  /** Resolves when the box has sent a picture, named as in `pictures`: with false if the house has to wait too long. */
  mock.shutter = async () => true;
  /** What a box answers to a command: nothing, or why it refuses; null if it does not answer. */
  mock.answer = () => undefined;
  const enrolment = { id: 'e7', name: 'musebox-4f2a', version: '0.1.0', outputs: ['main'], check: '482 913' };
  /** The other houses, all owned by whoever made them. */
  const houses = [];
  let gone = false;
  let count = 100;

  /** Changes the document as the house does: a new revision, a patch to everybody. */
  mock.change = (patch) => {
    const base = mock.rev;
    mock.rev += 1;
    mock.document = merge(mock.document, patch);
    for (const socket of pages) {
      socket.send(
        JSON.stringify({ type: 'patch', epoch: mock.epoch, base_rev: base, rev: mock.rev, patch, sha256: '' }),
      );
    }
  };
  mock.report = (screen, report) => {
    mock.reports[screen] = { ...mock.reports[screen], ...report };
    for (const socket of pages) socket.send(JSON.stringify({ type: 'reported', screen, ...report }));
  };
  mock.cut = () => pages.forEach((socket) => socket.terminate());
  mock.send = (frame) => pages.forEach((socket) => socket.send(JSON.stringify(frame)));
  /** Ends the connections of those who may no longer come in. */
  mock.recheck = () => {
    for (const socket of pages) {
      if (roleOf(socket.user)) continue;
      socket.send(JSON.stringify({ type: 'error', code: 'revoked', message: 'you may no longer come in here' }));
      socket.close(4004, 'revoked');
    }
  };
  /** Gives the first user another role, or none. */
  mock.setRole = (role) => {
    access.members = access.members.filter(({ id }) => id !== 'u1');
    if (role) access.members.unshift({ id: 'u1', role });
    mock.recheck();
  };

  /** Tells a box something; answers in which list of the house's answer it is. */
  function obey(screen, body) {
    const report = mock.reports[screen];
    if (!report?.online) return 'offline';
    const answer = mock.answer(screen, body);
    mock.commands.push({ screen, ...body });
    if (answer === null) return 'waiting';
    if (answer) return { refused: answer };
    act(screen, body.command, body);
    return 'screens';
  }

  function carry(screens, body) {
    if (!commands.includes(body.command))
      throw new Problem(422, `this is none of ${commands.join(', ')}`, { key: 'command' });
    const done = { screens: [], waiting: [], offline: [], refused: {} };
    for (const screen of screens) {
      const how = obey(screen, body);
      if (how === 'offline') done.offline.push(screen);
      else done.screens.push(screen);
      if (how === 'waiting') done.waiting.push(screen);
      if (how.refused) done.refused[screen] = how.refused;
    }
    const empty = (value) => (Array.isArray(value) ? value : Object.keys(value)).length === 0;
    return Object.fromEntries(Object.entries(done).filter(([key, value]) => key === 'screens' || !empty(value)));
  }

  function act(screen, command, body) {
    const report = mock.reports[screen];
    const track = mock.document.playlists.p1.montages[0].tracks[0].items;
    const state = structuredClone(report.state);
    const step = (by) => {
      const at = (Math.max(0, track.indexOf(state.item)) + by + track.length) % track.length;
      state.item = track[at];
      state.title = mock.document.items[state.item].title;
      state.position = `M0T0I${at}`;
    };
    if (command === 'play') state.state = 'playing';
    if (command === 'pause') state.state = 'paused';
    if (command === 'stop') state.state = 'idle';
    if (command === 'next') step(1);
    if (command === 'previous') step(-1);
    if (command === 'display') state.power = body.power;
    mock.report(screen, { online: true, seen: new Date().toISOString(), state });
  }

  const read = (request) =>
    new Promise((done) => {
      const parts = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => done(Buffer.concat(parts)));
    });
  const cookies = (request) => Object.fromEntries((request.headers.cookie ?? '').split('; ').map((c) => c.split('=')));
  const userOf = (request) => access.users.find(({ id }) => id === cookies(request).musebox_session);
  const roleOf = (user) => (gone ? undefined : access.members.find(({ id }) => id === user?.id)?.role);
  const session = (user) => ({
    status: 204,
    headers: {
      'set-cookie': [
        `musebox_session=${user.id}; Path=/; HttpOnly; SameSite=Lax`,
        'musebox_csrf=csrf-1; Path=/; SameSite=Lax',
      ],
    },
  });

  function need(user, role) {
    const own = roleOf(user);
    if (!own) throw new Problem(404, 'there is no such house here');
    if (ranks.indexOf(own) < ranks.indexOf(role))
      throw new Problem(403, 'this needs more than you may do in this house: ask one of its owners');
  }

  /** What a request for something in the house needs. */
  function needed(method, kind) {
    if (kind === 'members' || (!kind && method === 'DELETE')) return 'owner';
    if (kind === 'alerts' || kind === 'uploads') return 'editor';
    return method === 'GET' || method === 'HEAD' ? 'viewer' : 'editor';
  }

  function resource(kind, id) {
    const found = kind === 'house' ? mock.document.house : mock.document[kind]?.[id];
    if (!found) throw new Problem(404, `there is no such ${kind.replace(/s$/, '')} here`);
    return { id, ...found };
  }

  /** The patch that lets go of a playlist or group wherever it is named. */
  function lettingGo(kind, id) {
    const keys = { playlists: ['playlist', 'default_playlist'], groups: ['group'] }[kind] ?? [];
    const without = (body) => Object.fromEntries(keys.filter((key) => body[key] === id).map((key) => [key, null]));
    const all = (map) => Object.fromEntries(Object.entries(map).map(([key, body]) => [key, without(body)]));
    const { house, groups, screens } = mock.document;
    return { house: without(house), groups: all(groups), screens: all(screens) };
  }

  function write(request, kind, id, patch) {
    const { rev } = resource(kind, id);
    const wanted = request.headers['if-match'];
    if (!wanted && patch) throw new Problem(428, 'say with If-Match which revision you change');
    if (wanted && wanted !== `"${rev}"`) throw new Problem(412, `it is at revision ${rev} by now`);
    if (patch?.name === '') throw new Problem(422, 'a name has 1 to 200 characters', { key: 'name' });
    const shown = Object.values(mock.document.playlists).some((list) => JSON.stringify(list).includes(`"${id}"`));
    if (!patch && kind === 'items' && shown) throw new Problem(409, 'a playlist shows it: take it out there first');
    const body = patch && { ...patch, rev: mock.rev + 1 };
    const others = patch ? {} : lettingGo(kind, id);
    mock.change(kind === 'house' ? { house: body } : { ...others, [kind]: { ...others[kind], [id]: body } });
  }

  async function api(request, url, body) {
    const path = url.pathname.slice('/api/v1'.length);
    const json = () => JSON.parse(body.toString() || '{}');
    const { method } = request;
    if (path === '/sign-in' && method === 'POST') {
      const form = json();
      const user = access.users.find((one) => one.email === form.email && one.password === form.password);
      if (!user) throw new Problem(401, 'this address and password do not belong together');
      return session(user);
    }
    if (path === '/invitation') {
      const invitation = access.invitations.get(url.searchParams.get('token'));
      if (!invitation) throw new Problem(410, spent);
      const known = access.users.some((user) => user.email === invitation.email);
      return { body: { ...invitation, house: mock.document.house.name, known } };
    }
    if (path === '/setup' && method === 'POST') return setUp(json());
    const user = userOf(request);
    if (!user) throw new Problem(401, 'sign in, or send an API token as Authorization: Bearer');
    if (method !== 'GET' && method !== 'HEAD' && request.headers['x-csrf-token'] !== 'csrf-1')
      throw new Problem(403, 'send the cookie musebox_csrf in the header X-CSRF-Token, too', { kind: 'csrf' });
    if (path === '/sign-out' && method === 'POST')
      return { status: 204, headers: { 'set-cookie': 'musebox_session=; Path=/; Max-Age=0' } };
    if (path === '/me') {
      const own = roleOf(user) ? [{ id: 'h1', name: mock.document.house.name, role: roleOf(user) }] : [];
      const made = houses.filter(({ owner }) => owner === user.id);
      const all = [...own, ...made.map(({ id, name }) => ({ id, name, role: 'owner' }))];
      all.sort((one, other) => one.name.localeCompare(other.name));
      return { body: { user: { id: user.id, email: user.email, name: user.name }, houses: all, csrf: 'csrf-1' } };
    }
    if (path === '/houses' && method === 'POST') {
      const house = { id: `h${(count += 1)}`, rev: 1, name: json().name };
      houses.push({ ...house, owner: user.id });
      return { status: 201, body: house };
    }
    if (path === '/tokens' && method === 'POST') {
      const token = { id: `k${(count += 1)}`, ...json(), made: new Date().toISOString(), revoked: false };
      access.tokens.push(token);
      return { status: 201, body: { id: token.id, secret: 'musebox_4Zk0fW3qTn7xY2pLr8Vd1HsQe6Uj9Ca5' } };
    }
    if (path === '/tokens')
      return { body: { tokens: access.tokens.map(({ made, ...token }) => ({ ...token, created_at: made })) } };
    if (path.startsWith('/tokens/') && method === 'DELETE') {
      const token = access.tokens.find(({ id }) => `/tokens/${id}` === path);
      if (!token) throw new Problem(404, 'there is no such token here');
      token.revoked = true;
      return { status: 204 };
    }
    if (path.startsWith('/media/')) {
      const file = mock.files.get(path.slice('/media/'.length));
      if (!file) throw new Problem(404, 'there is no such medium here');
      const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
      const headers = { 'content-type': file.mime, 'accept-ranges': 'bytes' };
      if (!range) return { raw: file.bytes, headers };
      const from = Number(range[1]);
      const to = range[2] ? Math.min(Number(range[2]), file.bytes.length - 1) : file.bytes.length - 1;
      return {
        status: 206,
        raw: file.bytes.subarray(from, to + 1),
        headers: { ...headers, 'content-range': `bytes ${from}-${to}/${file.bytes.length}` },
      };
    }
    const [, , house, kind, id, verb, last] = path.split('/');
    if (house !== 'h1') throw new Problem(404, 'there is no such house here');
    need(user, needed(method, kind));
    if (!kind) {
      if (method === 'PATCH') write(request, 'house', 'h1', json());
      if (method === 'DELETE') {
        gone = true;
        mock.recheck();
        return { status: 204 };
      }
      return { body: resource('house', 'h1') };
    }
    if (kind === 'environment') return { body: mock.document };
    if (kind === 'reports') return { body: { screens: mock.reports } };
    if (kind === 'plays') return playsPage(url.searchParams);
    if (kind === 'plays.csv') {
      const rows = playsOf(url.searchParams).map((p) =>
        [p.at, p.screen_name, p.output, p.playlist_name, p.item, p.title, (p.duration_ms / 1000).toFixed(3)].join(','),
      );
      return {
        raw: Buffer.from(['at,screen,output,playlist,item,title,seconds', ...rows, ''].join('\r\n')),
        headers: {
          'content-type': 'text/csv; charset=utf-8',
          'content-disposition': 'attachment; filename="plays.csv"',
        },
      };
    }
    if (kind === 'members' && method === 'POST') return invite(json());
    if (kind === 'members' && method === 'DELETE') {
      const owners = access.members.filter(({ role }) => role === 'owner');
      if (owners.length === 1 && owners[0].id === id)
        throw new Problem(409, 'a house needs an owner: make somebody else one first');
      access.members = access.members.filter((member) => member.id !== id);
      mock.recheck();
      return { status: 204 };
    }
    if (kind === 'members') {
      const person = ({ id: who, role }) => {
        const { email: address, name } = access.users.find((one) => one.id === who);
        return { id: who, email: address, name, role };
      };
      return { body: { members: access.members.map(person) } };
    }
    if (kind === 'alerts') {
      const tag = () => `"${createHash('sha256').update(JSON.stringify(access.alerts)).digest('hex')}"`;
      const wanted = request.headers['if-match'];
      if (method === 'PUT' && wanted && wanted !== tag()) throw new Problem(412, 'they were changed meanwhile');
      if (method === 'PUT') access.alerts = json();
      return { body: access.alerts, headers: { etag: tag() } };
    }
    if (kind === 'commands') return { body: carry(Object.keys(mock.document.screens), json()) };
    if (kind === 'enrolments') {
      if (id === 'look-up') {
        if (json().code !== 'BCDFGHJK') throw new Problem(404, 'no box shows this code now', { key: 'code' });
        return { body: enrolment };
      }
      if (verb === 'approve') {
        if (id !== enrolment.id)
          throw new Problem(410, 'this code is used already or too old: the box shows a new one');
        mock.change({ screens: { s9: { rev: mock.rev + 1, name: json().name, outputs: ['main'] } } });
        return { body: { screen: 's9' } };
      }
      return { status: 204 };
    }
    if (kind === 'uploads') return upload(request, method, id, body, json);
    if (verb === 'commands') {
      resource(kind, id);
      const { screens } = mock.document;
      const members = Object.keys(screens).filter((screen) => screens[screen].group === id);
      if (kind === 'groups') return { body: carry(members, json()) };
      const done = carry([id], json());
      if (done.offline)
        throw new Problem(409, 'the screen is not connected now; settings reach it when it comes back');
      if (done.refused) throw new Problem(409, done.refused[id]);
      return { status: done.waiting ? 202 : 200, body: done };
    }
    if (verb === 'picture') return photograph(id, url.searchParams.get('output'), url.searchParams.get('fresh'));
    if (!(kind in collections) || last) throw new Problem(404, 'there is no such kind of thing here');
    if (!id && method === 'POST') {
      if (kind === 'screens') throw new Problem(400, 'screens come by pairing: type the code that the box shows');
      const made = `${collections[kind]}${(count += 1)}`;
      mock.change({ [kind]: { [made]: { ...json(), rev: mock.rev + 1 } } });
      return { status: 201, body: resource(kind, made) };
    }
    if (!id) return { body: { [kind]: Object.keys(mock.document[kind]).map((key) => resource(kind, key)) } };
    if (method === 'DELETE') {
      write(request, kind, id, null);
      return { status: 204 };
    }
    if (method === 'PATCH') write(request, kind, id, json());
    return { body: resource(kind, id) };
  }

  const spent = 'this link was used already or is too old: ask who invited you for another';

  /** Comes in by a one-time link: that of the first operator is "first". */
  function setUp({ link_token: token, email: address, name, password: chosen, ...more }) {
    if (Object.keys(more).length) throw new Problem(422, `unknown field ${Object.keys(more)[0]}`);
    const invitation = access.invitations.get(token);
    const known = invitation && access.users.find((user) => user.email === invitation.email);
    if (known && known.password !== chosen) throw new Problem(401, 'this address and password do not belong together');
    if (!known && (chosen ?? '').length < 10)
      throw new Problem(422, 'the password must have 10 to 1024 characters', { key: 'password' });
    if (!known && !name) throw new Problem(422, 'say what people call you', { key: 'name' });
    if (!invitation && token !== 'first') throw new Problem(410, spent);
    if (!invitation) return session({ ...access.users[0], email: address });
    access.invitations.delete(token);
    const newcomer = { id: `u${(count += 1)}`, email: invitation.email, name, password: chosen };
    if (!known) access.users.push(newcomer);
    access.members.push({ id: (known ?? newcomer).id, role: invitation.role });
    return session(known ?? newcomer);
  }

  /** Gives a member another role, or invites somebody. */
  function invite({ email: address, role, ...more }) {
    if (Object.keys(more).length) throw new Problem(422, `unknown field ${Object.keys(more)[0]}`);
    if (!ranks.includes(role)) throw new Problem(422, 'a role is owner, editor or viewer', { key: 'role' });
    const user = access.users.find((one) => one.email === address);
    const member = access.members.find(({ id }) => id === user?.id);
    if (member) {
      member.role = role;
      return { body: { id: member.id } };
    }
    const token = `invited-${(count += 1)}`;
    access.invitations.set(token, { email: address, role });
    return { body: { link: `${mock.url}/setup?token=${token}&email=${encodeURIComponent(address)}` } };
  }

  /** The entries of the log that a query wants, newest first. */
  function playsOf(query) {
    const from = query.get('from');
    const to = query.get('to');
    const screen = query.get('screen');
    const wanted = (play) =>
      (!screen || play.screen === screen) &&
      (!from || Date.parse(play.at) >= Date.parse(from)) &&
      (!to || Date.parse(play.at) < Date.parse(to));
    const { screens, playlists, items } = mock.document;
    return mock.plays.filter(wanted).map((play) => ({
      ...play,
      screen_name: screens[play.screen]?.name ?? play.screen,
      playlist_name: playlists[play.playlist]?.name ?? play.playlist,
      title: items[play.item]?.title ?? play.item,
    }));
  }

  function playsPage(query) {
    const cursor = ({ at, seq, screen }) => `${Date.parse(at)}.${seq}.${screen}`;
    const all = playsOf(query);
    const before = query.get('before');
    const begin = before === null ? 0 : all.findIndex((play) => cursor(play) === before) + 1;
    if (before !== null && begin === 0)
      throw new Problem(422, 'take what the answer before called next', { key: 'before' });
    const limit = Math.min(1000, Math.max(1, Number(query.get('limit') ?? 100)));
    const rows = all.slice(begin, begin + limit);
    const next = rows.length === limit ? { next: cursor(rows.at(-1)) } : {};
    return { body: { plays: rows.map(({ seq: _seq, ...play }) => play), ...next } };
  }

  /** The picture of an output of a screen; it is a PNG here, where the real house has a JPEG. */
  async function photograph(id, output, fresh) {
    const { outputs } = resource('screens', id);
    const place = output === null ? 0 : outputs.indexOf(output);
    if (place < 0) throw new Problem(404, 'there is no such output of this screen here');
    const name = place === 0 ? id : `${id}/${output}`;
    const picture = mock.pictures[name] ?? {};
    const old = fresh !== null && mock.clock() - picture.at > Number(fresh) * 1000;
    if ((old || !picture.still) && mock.reports[id]?.online && picture.paint && (await mock.shutter(name)))
      Object.assign(picture, { at: mock.clock(), still: picture.paint(mock.clock() / 2000) });
    if (!picture.still) throw new Problem(404, 'there is no such picture of this screen yet here');
    return {
      raw: picture.still,
      headers: {
        'content-type': 'image/png',
        'cache-control': 'no-store',
        'last-modified': new Date(picture.at).toUTCString(),
      },
    };
  }

  function upload(request, method, id, body, json) {
    const at = (offset) => ({ 'upload-offset': String(offset) });
    if (method === 'POST' && !id) {
      const { name, size } = json();
      const ending = extname(name).slice(1).toLowerCase();
      const known = [...Object.keys(videos), ...Object.keys(images)];
      if (!known.includes(ending)) throw new Problem(422, `"${name}" is none of ${known.join(', ')}`, { key: 'name' });
      if (!(size >= 1)) throw new Problem(422, 'a medium has 1 byte to 64 GiB', { key: 'size' });
      const made = `i${(count += 1)}`;
      uploads.set(made, { name, size, parts: [], offset: 0 });
      return { status: 201, body: { id: made, offset: 0, size } };
    }
    const file = uploads.get(id);
    if (!file && method !== 'DELETE' && finished.has(id)) {
      const item = resource('items', id);
      return { body: { item }, headers: at(item.formats.source.size) };
    }
    if (!file) throw new Problem(404, 'there is no such upload here');
    if (method === 'DELETE') {
      uploads.delete(id);
      return { status: 204 };
    }
    if (method !== 'PATCH') return { body: { id, offset: file.offset, size: file.size }, headers: at(file.offset) };
    const told = Number(request.headers['upload-offset']);
    if (told !== file.offset)
      throw new Problem(409, `the upload goes on at byte ${file.offset}, not ${told}`, { headers: at(file.offset) });
    if (file.offset + body.length > file.size)
      throw new Problem(413, `the medium was said to have ${file.size} bytes, and more came`);
    file.parts.push(body);
    file.offset += body.length;
    if (file.offset < file.size) return { status: 204, headers: at(file.offset) };
    uploads.delete(id);
    finished.add(id);
    const ending = extname(file.name).slice(1).toLowerCase();
    const kind = ending in videos ? 'video' : 'image';
    const mime = kind === 'video' ? `video/${videos[ending]}` : `image/${images[ending]}`;
    const name = `${id}.${ending}`;
    mock.files.set(name, { bytes: Buffer.concat(file.parts), mime });
    const source = { src: `/api/v1/media/${name}`, sha256: '0'.repeat(64), size: file.size, mime };
    const title = file.name.replace(/\.[^.]*$/, '');
    mock.change({ items: { [id]: { rev: mock.rev + 1, title, kind, formats: { source } } } });
    return { body: { item: resource('items', id) }, headers: at(file.size) };
  }

  async function serve(request, response) {
    const url = new URL(request.url, 'http://mock');
    const path = url.pathname;
    const send = (status, headers, body) => {
      const date = new Date(mock.clock()).toUTCString();
      response.writeHead(status, { 'content-security-policy': csp, 'cache-control': 'no-cache', date, ...headers });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    if (path.startsWith('/assets/')) {
      const name = normalize(path.slice('/assets/'.length));
      return send(
        200,
        { 'content-type': types[extname(name)] ?? 'text/plain' },
        readFileSync(join(page, 'assets', name)),
      );
    }
    if (path.startsWith('/api/v1/')) {
      const body = await read(request);
      const asked = { method: request.method, path: path + url.search, headers: request.headers };
      if (/json/.test(request.headers['content-type'])) asked.json = JSON.parse(body.toString());
      mock.requests.push(asked);
      const fault = mock.fault(request);
      if (fault === 'drop') return request.socket.destroy();
      if (fault === 'hang') return undefined;
      try {
        if (fault && fault !== 'lose') throw new Problem(fault.status ?? fault, fault.detail ?? 'as the test wants it');
        const answer = await api(request, url, body);
        if (fault === 'lose') return request.socket.destroy();
        if (answer.raw) return send(answer.status ?? 200, answer.headers, answer.raw);
        const etag = answer.body?.rev ? { etag: `"${answer.body.rev}"` } : {};
        return send(
          answer.status ?? 200,
          { 'content-type': 'application/json', ...etag, ...answer.headers },
          answer.body && JSON.stringify(answer.body),
        );
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        const type = { 'content-type': 'application/problem+json' };
        return send(error.body.status, { ...type, ...error.headers }, JSON.stringify(error.body));
      }
    }
    const name = { '/sign-in': 'sign_in.html', '/setup': 'setup.html' }[path] ?? 'app.html';
    return send(200, { 'content-type': 'text/html; charset=utf-8' }, template(name, { assets: '/assets' }));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    const user = userOf(request);
    const house = new URL(request.url, 'http://mock').searchParams.get('house');
    if (mock.fault(request) || house !== 'h1' || !roleOf(user)) return socket.destroy();
    return sockets.handleUpgrade(request, socket, head, (peer) => {
      peer.user = user;
      peer.on('message', (text) => {
        const frame = JSON.parse(text);
        if (frame.type !== 'hello') return;
        mock.hello.push(frame);
        pages.add(peer);
        const known = frame.epoch === mock.epoch && frame.rev === mock.rev;
        peer.send(
          JSON.stringify(
            known
              ? { type: 'patch', epoch: mock.epoch, base_rev: mock.rev, rev: mock.rev, patch: {}, sha256: '' }
              : { type: 'snapshot', epoch: mock.epoch, rev: mock.rev, sha256: '', document: mock.document },
          ),
        );
      });
      peer.on('close', () => pages.delete(peer));
    });
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  mock.url = `http://127.0.0.1:${server.address().port}`;
  mock.stop = () => {
    mock.cut();
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return mock;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const mock = await start(Number(process.argv[2] ?? 8640));
  console.log(`${mock.url}  ${email}  ${password}`);
}
