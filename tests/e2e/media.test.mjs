// Media: uploads that are cut, refused and go on, and items.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { accessible, shot } from './browser.mjs';
import { inside, told } from './inside.mjs';
import { until } from './real.mjs';

describe('media', () => {
  test('an upload goes on after a network fault where it was', () =>
    inside('/houses/h1/media', async (page, mock) => {
      // Until the page asks where to go on: Chromium itself repeats a request whose kept-alive connection broke.
      let asked = false;
      mock.fault = (request) => {
        if (!request.url.includes('/uploads/')) return undefined;
        asked ||= request.method === 'HEAD';
        const later = request.method === 'PATCH' && request.headers['upload-offset'] !== '0';
        return later && !asked ? 'drop' : undefined;
      };
      const large = Buffer.alloc(9 * 1024 * 1024, 7);
      await page.locator('input[type=file]').setInputFiles([
        { name: 'River.mp4', mimeType: 'video/mp4', buffer: large },
        { name: 'Stone.png', mimeType: 'image/png', buffer: mock.files.get('fern.png').bytes },
      ]);
      await told(page, '2 files uploaded');
      assert.ok(mock.requests.some(({ method, path }) => method === 'HEAD' && path.includes('/uploads/')));
      const made = Object.values(mock.document.items).find(({ title }) => title === 'River');
      assert.equal(made.formats.source.size, large.length);
      assert.ok(mock.files.get(made.formats.source.src.split('/').at(-1)).bytes.equals(large));
      await page.getByRole('button', { name: /^Stone/ }).waitFor();
      await accessible(page, 'finished uploads');
      await shot(page, 'light-uploads');
    }));

  const begun = (mock) =>
    mock.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/uploads')).length;
  const large = Buffer.alloc(9 * 1024 * 1024, 7);
  const river = { name: 'River.mp4', mimeType: 'video/mp4', buffer: large };
  const made = (mock) => Object.values(mock.document.items).filter(({ title }) => title === 'River');
  const whole = (mock) => {
    const [item, ...others] = made(mock);
    assert.equal(others.length, 0, 'one item');
    assert.ok(mock.files.get(item.formats.source.src.split('/').at(-1)).bytes.equals(large));
  };

  test('a lost last answer makes no second upload', () =>
    inside('/houses/h1/media', async (page, mock) => {
      let asked = false;
      mock.fault = (request) => {
        if (!request.url.includes('/uploads/')) return undefined;
        asked ||= request.method === 'HEAD';
        const last = request.method === 'PATCH' && Number(request.headers['upload-offset']) >= 8 * 1024 * 1024;
        return last && !asked ? 'lose' : undefined;
      };
      await page.locator('input[type=file]').setInputFiles([river]);
      await told(page, '1 file uploaded');
      assert.ok(asked, 'the house was asked how far it is');
      assert.equal(begun(mock), 1);
      whole(mock);
    }));

  test('a full disk ends an upload with the words of the house, and it goes on when it is told to', () =>
    inside('/houses/h1/media', async (page, mock) => {
      mock.fault = ({ method }) =>
        method === 'PATCH' ? { status: 507, detail: "the server's disk is full: remove media" } : undefined;
      await page.locator('input[type=file]').setInputFiles([river]);
      await page.getByText("The server's disk is full: remove media.", { exact: true }).waitFor();
      await accessible(page, 'a full disk');
      await shot(page, 'light-full');
      assert.equal(mock.requests.filter(({ method }) => method === 'PATCH').length, 1);
      mock.fault = () => undefined;
      await page.getByRole('button', { name: 'Try again' }).click();
      await told(page, '1 file uploaded');
      assert.equal(begun(mock), 1);
      whole(mock);
    }));

  test('while an upload is tried again, what the house said is shown', () =>
    inside('/houses/h1/media', async (page, mock) => {
      mock.fault = ({ method }) =>
        method === 'PATCH' ? { status: 503, detail: 'the database does not answer now' } : undefined;
      await page.locator('input[type=file]').setInputFiles([river]);
      await page.getByText('The database does not answer now. Going on soon.').waitFor();
      mock.fault = () => undefined;
      await told(page, '1 file uploaded');
      whole(mock);
    }));

  test('after a reload the same file goes on where it was', () =>
    inside('/houses/h1/media', async (page, mock) => {
      page.on('dialog', (dialog) => dialog.accept());
      const folder = mkdtempSync(join(tmpdir(), 'page-'));
      try {
        const file = join(folder, 'River.mp4');
        writeFileSync(file, large);
        mock.fault = ({ method, headers }) =>
          method === 'PATCH' && headers['upload-offset'] !== '0' ? 'hang' : undefined;
        await page.locator('input[type=file]').setInputFiles(file);
        await page.getByText('4.2 MB of 9.4 MB').waitFor();
        const bar = page.getByRole('progressbar', { name: 'Upload of River.mp4' });
        assert.deepEqual(await bar.evaluate(({ value, max }) => [value, max]), [4 * 1024 * 1024, large.length]);
        const second = ({ headers }) => headers['upload-offset'] === '4194304';
        await until(() => mock.requests.some(second), 'a second piece');
        mock.fault = () => undefined;
        await page.reload();
        await page.getByText('Not finished, 4.2 MB of 9.4 MB are here. Choose the same file again').waitFor();
        await accessible(page, 'an upload to be continued');
        await shot(page, 'light-upload-left');
        const before_ = mock.requests.length;
        await page.locator('input[type=file]').setInputFiles(file);
        await told(page, 'River.mp4 goes on where it was');
        await told(page, '1 file uploaded');
        const offsets = mock.requests
          .slice(before_)
          .filter(({ method }) => method === 'PATCH')
          .map(({ headers }) => Number(headers['upload-offset']));
        assert.deepEqual(offsets, [4 * 1024 * 1024, 8 * 1024 * 1024]);
        assert.equal(begun(mock), 1);
        whole(mock);
        await page.reload();
        await page.locator('.tile').first().waitFor();
        assert.equal(await page.locator('.uploads').isVisible(), false);
      } finally {
        rmSync(folder, { recursive: true });
      }
    }));

  test('an upload of before is given up, and one that the house has no more is forgotten', () =>
    inside('/houses/h1/media', async (page, mock) => {
      page.on('dialog', (dialog) => dialog.accept());
      mock.fault = ({ method, headers }) =>
        method === 'PATCH' && headers['upload-offset'] !== '0' ? 'hang' : undefined;
      await page.locator('input[type=file]').setInputFiles([river]);
      await page.getByText('4.2 MB of 9.4 MB').waitFor();
      await page.evaluate(() => {
        const kept = JSON.parse(localStorage.getItem('house_uploads'));
        kept.h1.push({ ...kept.h1[0], id: 'long-gone', name: 'Pond.mp4' });
        localStorage.setItem('house_uploads', JSON.stringify(kept));
      });
      await page.reload();
      await page.getByText('Not finished, 4.2 MB').waitFor();
      await page.getByText('Pond.mp4').waitFor({ state: 'detached' });
      await page.getByRole('button', { name: 'Give up the upload of River.mp4' }).click();
      await page.locator('.uploads').waitFor({ state: 'hidden' });
      await until(() => mock.requests.some(({ method }) => method === 'DELETE'), 'the house is told');
      assert.equal(await page.evaluate(() => localStorage.getItem('house_uploads')), '{"h1":[]}');
    }));

  test('an item is renamed, and removed from its playlists first', () =>
    inside('/houses/h1/media', async (page, mock) => {
      await page.getByRole('button', { name: /^Dunes/ }).click();
      await page.getByRole('button', { name: 'Rename' }).click();
      await page.getByLabel('Title', { exact: true }).fill('Dunes, evening');
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: /^Dunes, evening/ }).click();
      await page.getByRole('button', { name: 'Remove', exact: true }).click();
      await page.getByText('It is taken out of Summer hang, too.').waitFor();
      await page.getByRole('button', { name: 'Remove the item' }).click();
      await until(() => mock.document.items.i2 === undefined, 'the item gone');
      assert.equal(mock.document.playlists.p1.montages[0].tracks[0].items.join(), 'i1,i4');
    }));

  test('an item is taken out of playlists as they are then, not as they were at the beginning', () =>
    inside('/houses/h1/media', async (page, mock) => {
      // The second of them: they are changed in the order of their names.
      const put = (playlist, items, more) =>
        mock.change({
          playlists: { [playlist]: { montages: [{ id: 'm1', tracks: [{ items }] }], rev: mock.rev + 1 } },
          ...more,
        });
      put('p2', ['i2', 'i3']);
      await page.getByRole('button', { name: /^Dunes/ }).click();
      await page.getByRole('button', { name: 'Remove', exact: true }).click();
      await page.getByText(/^The file is deleted from the house\. It is taken out of .+, .+, too\.$/).waitFor();
      await page.route('**/playlists/p2', async (route) => {
        // Somebody else hangs another picture meanwhile, and this page hears of it.
        put('p1', ['i2', 'i3', 'i1'], { items: { i3: { title: 'Heard of', rev: mock.rev + 1 } } });
        await page.getByText('Heard of').first().waitFor({ state: 'attached' });
        await route.continue();
      });
      await page.getByRole('button', { name: 'Remove the item' }).click();
      await until(() => mock.document.items.i2 === undefined, 'the item gone');
      assert.equal(mock.document.playlists.p1.montages[0].tracks[0].items.join(), 'i3,i1');
    }));
});
