// Debian's Chromium, the mock and axe, as the tests of the page need them.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { email, password } from './mock.mjs';
import { patience } from './real.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(process.env.E2E_MODULES ?? here, 'package.json'));
const { chromium } = require('playwright-core');
const axe = require('axe-core');

const switches = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const shapes = {
  light: { viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  phone: {
    viewport: { width: 390, height: 844 },
    colorScheme: 'light',
    hasTouch: true,
    isMobile: true,
    deviceScaleFactor: 2,
  },
  narrow: { viewport: { width: 320, height: 640 }, colorScheme: 'dark' },
  // What a window of 1280 pixels is to the page when the reader zooms to 200 %.
  zoomed: { viewport: { width: 640, height: 400 }, colorScheme: 'light' },
};

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: switches });
}

/** A page in a fresh profile; what it complains about is in `page.complaints`. */
export async function open(browser, shape = 'light') {
  const context = await browser.newContext({ locale: 'en-GB', ...shapes[shape] });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(error.stack));
  page.on('console', (message) => {
    // The refusals that a test asks for are told on the console by the browser itself.
    if (message.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(message.text()))
      page.complaints.push(message.text());
  });
  return page;
}

export async function signIn(page, mock, path = '/houses/h1') {
  await page.goto(`${mock.url}/sign-in?next=${encodeURIComponent(path)}`);
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => url.pathname === path.split('?')[0]);
  await page.locator('h1').first().waitFor();
}

/** Fails with what axe finds, in a line for each rule and its first place. */
export async function accessible(page, what) {
  // The page's own policy forbids inline scripts; this way in belongs to the tester, not to the page.
  const found = await page.evaluate(
    `(() => { const module = undefined; ${axe.source}; return window.axe.run(document, { resultTypes: ['violations'] }); })()`,
  );
  const lines = found.violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n    ${nodes.map(({ html, failureSummary }) => `${html}\n    ${failureSummary}`).join('\n    ')}`,
  );
  assert.equal(lines.join('\n'), '', `axe on ${what}`);
}

/** No inline style anywhere, nothing that sticks out at the side, and no complaint of the browser. */
export async function tidy(page, what) {
  const [styled, wider] = await page.evaluate(() => [
    document.querySelectorAll('[style]').length,
    document.documentElement.scrollWidth - document.documentElement.clientWidth,
  ]);
  assert.equal(styled, 0, `inline styles on ${what}`);
  assert.ok(wider <= 0, `${what} is wider than the window by ${wider}`);
  assert.deepEqual(page.complaints, [], `complaints on ${what}`);
}

/** Keeps a screenshot in the folder of E2E_OUT, where one is given. */
export async function shot(page, name) {
  if (!process.env.E2E_OUT) return;
  mkdirSync(process.env.E2E_OUT, { recursive: true });
  await page.screenshot({
    path: join(process.env.E2E_OUT, `${name}.png`),
    fullPage: !(await page.locator('dialog[open]').count()),
    animations: 'disabled',
  });
}
