// What the tests of the page have in common: a browser, and for each test a mock and a page of its own.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';

import { launch, open, signIn } from './browser.mjs';
import { start } from './mock.mjs';

/** One for all tests of a file. */
let browser;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** Runs a test with a mock and a page of its own, both gone at the end. */
export async function fresh(body, shape = 'light') {
  const mock = await start();
  const page = await open(browser, shape);
  try {
    await body(page, mock);
    assert.deepEqual(page.complaints, []);
  } finally {
    await page.context().close();
    await mock.stop();
  }
}

/** The same, signed in and at an address. */
export const inside = (path, body, shape) =>
  fresh(async (page, mock) => {
    await signIn(page, mock, path);
    await body(page, mock);
  }, shape);

export const spoken = (page, words) => page.getByRole('alert').filter({ hasText: words }).waitFor();
export const told = (page, words) => page.getByRole('status').filter({ hasText: words }).first().waitFor();

/** The page thinks that somebody looks at it again, or not any more. */
export const looked = (page, visible) =>
  page.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => state === 'hidden' });
    document.dispatchEvent(new Event('visibilitychange'));
  }, visible ? 'visible' : 'hidden');

/** Where every view is, and what is there when it is drawn. */
export const views = {
  house: ['/houses/h1', '.card img:not([hidden])'],
  screen: ['/houses/h1/screens/s2', '.picture img:not([hidden])'],
  'screen-two-outputs': ['/houses/h1/screens/s3', 'figure:last-child img:not([hidden])'],
  'screen-own-settings': ['/houses/h1/screens/s1', '.setting'],
  group: ['/houses/h1/groups/g1', '.ticks li'],
  playlists: ['/houses/h1/playlists', '.card'],
  playlist: ['/houses/h1/playlists/p1', '.item-row'],
  'playlist-schedule': ['/houses/h1/playlists/p2', '.window'],
  media: ['/houses/h1/media', '.tile'],
  log: ['/houses/h1/log', 'tbody tr'],
  settings: ['/houses/h1/settings', '.entries .row-title'],
  pair: ['/houses/h1/pair', '.code'],
  'pair-check': ['/houses/h1/pair?code=bcdf-ghjk', '.check-number'],
  houses: ['/houses', '.house-list a'],
  'no-such-house': ['/houses/h9', 'h1'],
};
