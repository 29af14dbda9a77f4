// A house server of paper: the REST and WebSocket of the house with one sample house in memory, for the page's tests.
// `node mock.mjs [PORT]` serves it for looking at (sign in with owner@example.org, password "open the house").
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

const csp =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; " +
  "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const types = { '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml' };
const collections = { groups: 'g', screens: 's', playlists: 'p', items: 'i' };

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
  constructor(status, title, detail, key) {
    super(detail);
    this.body = { type: 'about:blank', title, status, detail, ...(key && { key }) };
  }
}

/** Starts the mock; `mock.fault(request)` may answer "drop", "hang" or a status to misbehave with. */
export async function start(port = 0) {
  const mock = { ...sample(), commands: [], requests: [], fault: () => undefined, url: '', hello: [] };
  const pages = new Set();
  const uploads = new Map();
  const access = {
    tokens: [{ id: 'k1', name: 'Till system', role: 'viewer', house: 'h1', created_at: '2026-10-02T09:00:00Z' }],
    members: [
      { id: 'u1', email, name: 'Claire Aubert', role: 'owner' },
      { id: 'u2', email: 'jon@example.org', name: 'Jon Weir', role: 'editor' },
    ],
    alerts: { email: ['owner@example.org'], silent_after_s: 300 },
  };
  const enrolment = { id: 'e7', name: 'musebox-4f2a', version: '0.1.0', outputs: ['main'], check: '482 913' };
  let houses = [{ id: 'h1', name: mock.document.house.name, role: 'owner' }];
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

  function obey(screen, command, body) {
    const report = mock.reports[screen];
    mock.commands.push({ screen, ...body });
    if (!report.online) return;
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
  const signedIn = (request) => cookies(request).musebox_session === 'yes';

  function resource(kind, id) {
    const found = kind === 'house' ? mock.document.house : mock.document[kind]?.[id];
    if (!found) throw new Problem(404, 'Not found', `there is no ${kind} ${id}`);
    return { id, ...found };
  }

  function write(request, kind, id, patch) {
    const { rev } = resource(kind, id);
    const wanted = request.headers['if-match'];
    if (!wanted) throw new Problem(428, 'Precondition required', 'If-Match is missing');
    if (wanted !== `"${rev}"`) throw new Problem(412, 'Stale', `the revision is ${rev} by now`);
    if (patch?.name === '') throw new Problem(422, 'Invalid', 'a name has 1 to 4096 characters', 'name');
    const body = patch && { ...patch, rev: mock.rev + 1 };
    mock.change(kind === 'house' ? { house: body } : { [kind]: { [id]: body } });
  }

  async function api(request, url, body) {
    const path = url.pathname.slice('/api/v1'.length);
    const json = () => JSON.parse(body.toString() || '{}');
    const { method } = request;
    if (path === '/sign-in' && method === 'POST') {
      const form = json();
      if (form.email !== email || form.password !== password)
        throw new Problem(401, 'Not signed in', 'the address or the password is wrong');
      return {
        status: 204,
        headers: {
          'set-cookie': [
            'musebox_session=yes; Path=/; HttpOnly; SameSite=Lax',
            'musebox_csrf=csrf-1; Path=/; SameSite=Lax',
          ],
        },
      };
    }
    if (path === '/setup' && method === 'POST') {
      const form = json();
      if (form.link_token !== 'first') throw new Problem(410, 'Gone', 'this link was used already');
      if ((form.password ?? '').length < 10)
        throw new Problem(422, 'Invalid', 'a password has at least 10 characters', 'password');
      return {
        status: 204,
        headers: {
          'set-cookie': [
            'musebox_session=yes; Path=/; HttpOnly; SameSite=Lax',
            'musebox_csrf=csrf-1; Path=/; SameSite=Lax',
          ],
        },
      };
    }
    if (!signedIn(request)) throw new Problem(401, 'Not signed in', 'sign in first');
    if (method !== 'GET' && method !== 'HEAD' && request.headers['x-csrf-token'] !== 'csrf-1')
      throw new Problem(403, 'Forbidden', 'the CSRF token is missing');
    if (path === '/sign-out') return { status: 204, headers: { 'set-cookie': 'musebox_session=; Path=/; Max-Age=0' } };
    if (path === '/me') return { body: { user: { id: 'u1', email, name: 'Claire Aubert' }, houses, csrf: 'csrf-1' } };
    if (path === '/houses' && method === 'POST') {
      const house = { id: `h${(count += 1)}`, name: json().name, role: 'owner' };
      houses = [...houses, house];
      return { status: 201, body: { ...house, rev: 1 } };
    }
    if (path === '/houses') return { body: { houses } };
    if (path === '/tokens' && method === 'POST') {
      const token = { id: `k${(count += 1)}`, ...json(), created_at: new Date().toISOString() };
      access.tokens.push(token);
      return { status: 201, body: { ...token, secret: 'mb_4Zk0fW3qTn7xY2pLr8Vd1HsQe6Uj9Ca5' } };
    }
    if (path === '/tokens') return { body: { tokens: access.tokens } };
    if (path.startsWith('/tokens/')) {
      access.tokens = access.tokens.filter((token) => `/tokens/${token.id}` !== path);
      return { status: 204 };
    }
    if (path.startsWith('/media/')) {
      const file = mock.files.get(path.slice('/media/'.length));
      if (!file) throw new Problem(404, 'Not found', 'no such file');
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
    if (house !== 'h1') throw new Problem(404, 'Not found', 'there is no such house');
    if (!kind) {
      if (method === 'PATCH') write(request, 'house', 'h1', json());
      if (method === 'DELETE') throw new Problem(409, 'Conflict', 'the sample house stays');
      return { body: resource('house', 'h1') };
    }
    if (kind === 'environment') return { body: mock.document };
    if (kind === 'reports') return { body: { screens: mock.reports } };
    if (kind === 'plays' || kind === 'plays.csv') {
      const wanted = (play) =>
        (!url.searchParams.get('screen') || play.screen === url.searchParams.get('screen')) &&
        (!url.searchParams.get('from') || play.at >= url.searchParams.get('from')) &&
        (!url.searchParams.get('to') || play.at < url.searchParams.get('to'));
      const plays = mock.plays.filter(wanted).slice(0, Number(url.searchParams.get('limit') ?? 1000));
      if (kind === 'plays') return { body: { plays } };
      return {
        raw: Buffer.from(plays.map((p) => Object.values(p).join(',')).join('\n')),
        headers: { 'content-type': 'text/csv', 'content-disposition': 'attachment; filename="plays.csv"' },
      };
    }
    if (kind === 'members' && method === 'POST') {
      const member = { id: `u${(count += 1)}`, ...json() };
      access.members.push(member);
      return { status: 201, body: { ...member, setup_link: `${mock.url}/setup?token=invited` } };
    }
    if (kind === 'members' && method === 'DELETE') {
      access.members = access.members.filter((member) => member.id !== id);
      return { status: 204 };
    }
    if (kind === 'members') return { body: { members: access.members } };
    if (kind === 'alerts') {
      if (method === 'PUT') access.alerts = json();
      return { body: access.alerts };
    }
    if (kind === 'commands') {
      Object.keys(mock.document.screens).forEach((screen) => obey(screen, json().command, json()));
      return { status: 202, body: { id: 'c1' } };
    }
    if (kind === 'enrolments') {
      if (id === 'look-up') {
        if (json().code !== 'BCDFGHJK') throw new Problem(404, 'Not found', 'no box shows this code now');
        return { body: enrolment };
      }
      if (verb === 'approve') {
        mock.change({ screens: { s9: { rev: mock.rev + 1, name: json().name, outputs: ['main'] } } });
        return { body: { screen: 's9' } };
      }
      return { status: 204 };
    }
    if (kind === 'uploads') return upload(request, method, id, body, json);
    if (verb === 'commands') {
      const screens =
        kind === 'screens'
          ? [id]
          : Object.keys(mock.document.screens).filter((s) => mock.document.screens[s].group === id);
      resource(kind, id);
      screens.forEach((screen) => obey(screen, json().command, json()));
      return { status: 202, body: { id: `c${(count += 1)}` } };
    }
    if (verb === 'picture') {
      const picture = mock.pictures[id];
      if (!picture) throw new Problem(404, 'Not found', 'there is no picture yet');
      if (mock.reports[id]?.online && picture.paint)
        Object.assign(picture, { at: Date.now(), still: picture.paint(Date.now() / 2000) });
      return {
        raw: picture.still,
        headers: { 'content-type': 'image/png', 'last-modified': new Date(picture.at).toUTCString() },
      };
    }
    if (!(kind in collections) || last) throw new Problem(404, 'Not found', 'no such thing');
    if (!id && method === 'POST') {
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

  function upload(request, method, id, body, json) {
    if (method === 'POST') {
      const made = `up${(count += 1)}`;
      uploads.set(made, { ...json(), parts: [], offset: 0 });
      return { status: 201, body: { id: made, offset: 0 } };
    }
    const file = uploads.get(id);
    if (!file) throw new Problem(404, 'Not found', 'there is no such upload');
    if (method === 'DELETE') {
      uploads.delete(id);
      return { status: 204 };
    }
    if (method === 'PATCH') {
      if (Number(request.headers['upload-offset']) !== file.offset)
        throw new Problem(409, 'Conflict', `the offset is ${file.offset}`);
      file.parts.push(body);
      file.offset += body.length;
      if (file.offset >= file.size) {
        uploads.delete(id);
        const made = `i${(count += 1)}`;
        const name = `${made}${extname(file.name)}`;
        const video = /\.(mp4|mov|webm)$/.test(file.name);
        const mime = video ? 'video/mp4' : 'image/png';
        mock.files.set(name, { bytes: Buffer.concat(file.parts), mime });
        const source = { src: `/api/v1/media/${name}`, sha256: '0'.repeat(64), size: file.size, mime };
        mock.change({
          items: {
            [made]: {
              rev: mock.rev + 1,
              title: file.name.replace(/\.\w+$/, ''),
              kind: video ? 'video' : 'image',
              duration_ms: 8000,
              formats: { source },
            },
          },
        });
        return { body: { item: resource('items', made) } };
      }
    }
    return { status: 204, headers: { 'upload-offset': String(file.offset) } };
  }

  async function serve(request, response) {
    const url = new URL(request.url, 'http://mock');
    const path = url.pathname;
    const send = (status, headers, body) => {
      response.writeHead(status, { 'content-security-policy': csp, 'cache-control': 'no-cache', ...headers });
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
      mock.requests.push({ method: request.method, path: path + url.search, headers: request.headers });
      const fault = mock.fault(request);
      if (fault === 'drop') return request.socket.destroy();
      if (fault === 'hang') return undefined;
      try {
        if (fault) throw new Problem(fault, 'Fault', fault === 412 ? 'stale' : 'the disk is full');
        const answer = await api(request, url, body);
        if (answer.raw) return send(answer.status ?? 200, answer.headers, answer.raw);
        const etag = answer.body?.rev ? { etag: `"${answer.body.rev}"` } : {};
        return send(
          answer.status ?? 200,
          { 'content-type': 'application/json', ...etag, ...answer.headers },
          answer.body && JSON.stringify(answer.body),
        );
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        return send(error.body.status, { 'content-type': 'application/problem+json' }, JSON.stringify(error.body));
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
    if (mock.fault(request) || !signedIn(request)) return socket.destroy();
    return sockets.handleUpgrade(request, socket, head, (peer) => {
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
