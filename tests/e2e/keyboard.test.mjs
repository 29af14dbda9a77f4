// The page by keyboard alone.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { inside } from './inside.mjs';

describe('by keyboard alone', () => {
  test('the first stop skips to the content, and a view that was opened has its heading focused', () =>
    inside('/houses/h1', async (page) => {
      await page.reload();
      await page.getByText('3 screens').waitFor();
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
      await page.keyboard.press('Enter');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'switch');
      await page.getByRole('link', { name: 'Playlists' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { level: 1, name: 'Playlists' }).waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
      assert.match(await page.title(), /^Playlists - Galerie du Quai/);
      await page.goBack();
      await page.getByRole('heading', { level: 1, name: 'Galerie du Quai' }).waitFor();
    }));

  test('a dialog keeps the focus and gives it back', () =>
    inside('/houses/h1/screens/s1', async (page) => {
      await page.getByRole('button', { name: 'Rename' }).focus();
      await page.keyboard.press('Enter');
      for (let stop = 0; stop < 8; stop += 1) {
        await page.keyboard.press('Tab');
        assert.ok(
          await page.evaluate(
            () => document.activeElement === document.body || Boolean(document.activeElement.closest('dialog')),
          ),
        );
      }
      await page.keyboard.press('Escape');
      assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Rename');
    }));
});
