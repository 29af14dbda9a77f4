// Real processes for the tests of everything together: the house server, a box on a virtual display, and what asks them.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const bin = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug');

/** How long anything may take on a loaded machine, in milliseconds. */
export const patience = 60_000;

const pause = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Waits until `condition()` answers something that is not false; answers that. */
export async function until(condition, what, every = 20) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await condition();
    if (found) return found;
    assert.ok(Date.now() < end, `in vain: ${what}`);
    await pause(every);
  }
}

/** A folder that is gone at the end. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), 'musebox-e2e-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Starts the house server; `url` is where it is, `setup` the one-time link of a fresh one. */
export async function house(data, listen = '127.0.0.1:0') {
  mkdirSync(data, { recursive: true });
  const child = spawn(join(bin, 'musebox-house'), ['--listen', listen, '--no-announce', '--data', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let setup;
  const url = await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`musebox-house ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      setup ??= /within a day: (\S+)/.exec(line)?.[1];
      const found = /^The house is at (\S+?)\/$/.exec(line)?.[1];
      if (found) resolve(found);
    });
  });
  return { url, setup, ...ending(child) };
}

/** A wire between a box and its house, which can be cut and mended; `url` is where the box finds the house. */
export async function wire(to) {
  const { hostname, port } = new URL(to);
  const ends = new Set();
  let whole = true;
  const server = createServer((near) => {
    if (!whole) {
      near.destroy();
      return;
    }
    const far = connect(Number(port), hostname);
    for (const [end, other] of [
      [near, far],
      [far, near],
    ]) {
      ends.add(end);
      end.on('error', () => other.destroy());
      end.on('close', () => {
        ends.delete(end);
        other.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const cut = () => {
    whole = false;
    for (const end of ends) end.destroy();
  };
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut,
    mend: () => {
      whole = true;
    },
    close: () => {
      cut();
      server.close();
    },
  };
}

/** Starts a box; `events` is called with everything that `museboxctl watch` tells. */
export async function box(state, more = []) {
  mkdirSync(state, { recursive: true });
  const socket = join(state, 'control.sock');
  const child = spawn(
    join(bin, 'museboxd'),
    ['--display', 'virtual', '--mode', '640x360@30', '--socket', socket, '--state', state, ...more],
    { stdio: ['ignore', 'ignore', process.env.E2E_LOG ? 'inherit' : 'ignore'] },
  );
  const ctl = (...words) =>
    new Promise((resolve, reject) => {
      execFile(join(bin, 'museboxctl'), ['--socket', socket, ...words], (error, out, err) => {
        if (error) reject(new Error(err || error.message));
        else resolve(out);
      });
    });
  const status = async () => JSON.parse(await ctl('status', '--json'));
  await until(() => status().catch(() => false), 'the box answers', 100);
  const watching = spawn(join(bin, 'museboxctl'), ['--socket', socket, 'watch', '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const hearers = new Set();
  createInterface({ input: watching.stdout }).on('line', (line) => {
    const at = performance.now();
    const event = JSON.parse(line);
    for (const hear of hearers) hear(event, at);
  });
  /** The time at which the next event of this kind comes. */
  const next = (matches) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the event did not come')), patience);
      const hear = (event, at) => {
        if (!matches(event)) return;
        clearTimeout(late);
        hearers.delete(hear);
        resolve(at);
      };
      hearers.add(hear);
    });
  const { stop, kill } = ending(child);
  const gone = (end) => async () => {
    watching.kill();
    await end();
  };
  return { ctl, status, next, stop: gone(stop), kill: gone(kill) };
}

function ending(child) {
  const exited = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  return {
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
    kill: () => {
      child.kill('SIGKILL');
      return exited;
    },
  };
}

/** Middle, 99th percentile and largest of some numbers. */
export function figures(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
  return { count: sorted.length, median: at(0.5), p99: at(0.99), max: sorted.at(-1) };
}

/** Figures as a line. */
export function line(what, { count, median, p99, max }) {
  const ms = (number) => `${number.toFixed(0)} ms`;
  return `${what}: ${count} times, median ${ms(median)}, p99 ${ms(p99)}, max ${ms(max)}`;
}

/** Leaves lines in figures.txt in the folder of E2E_OUT; prints them where none is given. */
export function keep(lines) {
  const text = `${lines.join('\n')}\n`;
  if (!process.env.E2E_OUT) {
    process.stdout.write(text);
    return;
  }
  mkdirSync(process.env.E2E_OUT, { recursive: true });
  writeFileSync(join(process.env.E2E_OUT, 'figures.txt'), text);
}
