// Every view of the page, in every shape: axe looks at it, and nothing sticks out.

import { describe, test } from 'node:test';

import { accessible, shapes, shot, signIn, tidy } from './browser.mjs';
import { fresh, inside, views } from './inside.mjs';

describe('every view', () => {
  for (const shape of Object.keys(shapes)) {
    test(`is accessible and tidy: ${shape}`, () =>
      fresh(async (page, mock) => {
        await page.goto(`${mock.url}/sign-in`);
        await accessible(page, `sign-in, ${shape}`);
        await shot(page, `${shape}-sign-in`);
        await page.goto(`${mock.url}/setup?token=first`);
        await accessible(page, `set-up, ${shape}`);
        await shot(page, `${shape}-setup`);
        await signIn(page, mock);
        for (const [name, [path, mark]] of Object.entries(views)) {
          await page.goto(mock.url + path);
          await page.locator(mark).first().waitFor();
          await page.waitForLoadState('networkidle');
          await accessible(page, `${name}, ${shape}`);
          await tidy(page, `${name}, ${shape}`);
          await shot(page, `${shape}-${name}`);
        }
      }, shape));
  }

  for (const shape of ['light', 'dark', 'phone']) {
    test(`has accessible dialogs: ${shape}`, () =>
      inside(
        '/houses/h1/playlists/p1',
        async (page) => {
          await page.getByRole('button', { name: 'Rename' }).click();
          await accessible(page, 'rename');
          await shot(page, `${shape}-dialog-rename`);
          await page.keyboard.press('Escape');
          await page.getByRole('button', { name: 'Remove', exact: true }).click();
          await accessible(page, 'remove');
          await shot(page, `${shape}-dialog-remove`);
          await page.keyboard.press('Escape');
          await page.getByRole('button', { name: 'Add items to montage 1, main' }).click();
          await page.getByRole('dialog').getByText('Mobile').click();
          await accessible(page, 'add items');
          await shot(page, `${shape}-dialog-items`);
          await page.keyboard.press('Escape');
          await page.goto(new URL('/houses/h1/media', page.url()).href);
          await page.getByRole('button', { name: /^Dunes/ }).click();
          await accessible(page, 'preview');
          await shot(page, `${shape}-dialog-preview`);
          await page.keyboard.press('Escape');
          await page.goto(new URL('/houses/h1/playlists/p1', page.url()).href);
          await page.getByRole('button', { name: 'Preview: Dunes at noon' }).first().click();
          await page.getByRole('button', { name: 'Next', exact: true }).waitFor();
          await accessible(page, 'preview in a playlist');
          await shot(page, `${shape}-dialog-run`);
          await page.keyboard.press('Escape');
          await page.getByRole('button', { name: /^Account of/ }).click();
          await accessible(page, 'account');
          await shot(page, `${shape}-account`);
        },
        shape,
      ));
  }

  test('without screens, playlists and media says what to do first', () =>
    inside('/houses/h1', async (page, mock) => {
      mock.change({
        screens: { s1: null, s2: null, s3: null },
        groups: { g1: null },
        playlists: { p1: null, p2: null },
        items: Object.fromEntries(Object.keys(mock.document.items).map((id) => [id, null])),
        house: { playlist: null, default_playlist: null },
      });
      await page.getByRole('heading', { name: 'Your first screen' }).waitFor();
      await accessible(page, 'empty house');
      await shot(page, 'light-empty-house');
      for (const [place, words] of [
        ['Playlists', 'No playlist yet'],
        ['Media', 'No media yet'],
      ]) {
        await page.getByRole('navigation').getByText(place).click();
        await page.getByRole('heading', { name: words }).waitFor();
        await accessible(page, words);
      }
    }));
});
