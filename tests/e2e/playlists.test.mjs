// Playlists: put in order, previewed, changed by two at once, made and removed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { signIn } from './browser.mjs';
import { fresh, inside, spoken, told } from './inside.mjs';
import { until } from './real.mjs';

/** What another editor does to the playlist: the items of its first track are these. */
function otherEditor(mock, items) {
  const { montages } = structuredClone(mock.document.playlists.p1);
  montages[0].tracks[0].items = items;
  mock.change({ playlists: { p1: { rev: mock.rev + 1, montages } } });
}

describe('playlists', () => {
  const track = (mock, m = 0, t = 0) => mock.document.playlists.p1.montages[m].tracks[t].items.join(' ');

  test('rows are put in order by dragging, within a track and into another', () =>
    inside('/houses/h1/playlists/p1', async (page, mock) => {
      const row = (name) => page.locator('.item-row').filter({ hasText: name });
      const drag = async (name, onto, below) => {
        const from = await row(name).locator('.grip').boundingBox();
        await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
        await page.mouse.down();
        const box = await row(onto).boundingBox();
        await page.mouse.move(box.x + 60, box.y + box.height / 2, { steps: 6 });
        const now = await row(onto).boundingBox();
        await page.mouse.move(now.x + 60, now.y + now.height * (below ? 0.8 : 0.2), { steps: 3 });
        await page.mouse.up();
      };
      await drag('Waves', 'Dusk', true);
      await until(() => track(mock) === 'i2 i4 i1', 'the new order');
      await page.waitForFunction(() => document.querySelectorAll('.item-row')[2].textContent.includes('Waves'));
      await page.setViewportSize({ width: 1280, height: 1400 });
      await drag('Fern', 'Waves', false);
      await until(() => track(mock) === 'i2 i4 i6 i1' && track(mock, 1, 1) === 'i5', 'the other track');
    }));

  test('rows are put in order with the keyboard, are spoken and keep the focus', () =>
    inside('/houses/h1/playlists/p1', async (page, mock) => {
      await page.locator('.item-row').filter({ hasText: 'Dunes' }).focus();
      await page.keyboard.press('Alt+ArrowUp');
      await until(() => track(mock) === 'i2 i1 i4', 'the new order');
      await told(page, 'Dunes at noon: now 1 of 3');
      assert.match(
        await page.evaluate(() => document.activeElement.getAttribute('aria-label')),
        /^Dunes at noon, 1 of 3/,
      );
      await page.getByRole('button', { name: 'Move down: Dusk over the bay' }).click();
      await until(() => track(mock, 1, 0) === 'i4 i3', 'the next montage');
      await told(page, 'Dusk over the bay: now 1 of 2 on main, montage 2');
    }));

  const inTheWay = 'Someone else changed this playlist meanwhile: ';
  const patches = (mock) => mock.requests.filter(({ method }) => method === 'PATCH').length;

  for (const [name, what] of [
    ['Dunes', 'another item is where it was'],
    ['Dusk', 'nothing is where it was'],
  ]) {
    test(`a row that is dragged while somebody takes one out is not mistaken: ${what}`, () =>
      inside('/houses/h1/playlists/p1', async (page, mock) => {
        const from = await page.locator('.item-row').filter({ hasText: name }).locator('.grip').boundingBox();
        const first = await page.locator('.item-row').first().boundingBox();
        await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
        await page.mouse.down();
        await page.mouse.move(first.x + 60, first.y + first.height * 0.2, { steps: 6 });
        otherEditor(mock, ['i2', 'i4']);
        await page.getByText(/^5 items/).waitFor();
        await page.mouse.up();
        await spoken(page, inTheWay + (name === 'Dunes' ? 'Dunes at noon' : 'Dusk over the bay'));
        await page.waitForFunction(() => document.querySelector('.rows').textContent.startsWith('Dunes'));
        assert.equal(track(mock), 'i2 i4');
        assert.equal(patches(mock), 0);
      }));
  }

  test('a row that is dragged to a track that somebody removes stays', () =>
    inside('/houses/h1/playlists/p1', async (page, mock) => {
      await page.setViewportSize({ width: 1280, height: 1400 });
      const from = await page.locator('.item-row').filter({ hasText: 'Waves' }).locator('.grip').boundingBox();
      await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
      await page.mouse.down();
      const onto = await page.locator('.item-row').filter({ hasText: 'Mobile' }).boundingBox();
      await page.mouse.move(onto.x + 60, onto.y + onto.height * 0.7, { steps: 6 });
      mock.change({ playlists: { p1: { rev: mock.rev + 1, montages: [mock.document.playlists.p1.montages[0]] } } });
      await page.getByText(/^3 items/).waitFor();
      await page.mouse.up();
      await spoken(page, `${inTheWay}Waves is not where it was.`);
      assert.equal(track(mock), 'i1 i2 i4');
      assert.equal(patches(mock), 0);
    }));

  test('a row that is moved by keyboard before the page drew what somebody changed is not mistaken', () =>
    fresh(async (page, mock) => {
      await signIn(page, mock, '/houses/h1/playlists/p1');
      await page.locator('.item-row').filter({ hasText: 'Dunes' }).focus();
      await page.waitForLoadState('networkidle');
      // The page draws a moment later; while its short timers are held back it knows, but shows what was.
      await page.evaluate(() => {
        const { setTimeout: real } = window;
        const held = [];
        window.setTimeout = (work, ms, ...more) => (ms < 200 ? held.push(work) : real(work, ms, ...more));
        window.letGo = () => {
          window.setTimeout = real;
          for (const work of held) work();
        };
      });
      otherEditor(mock, ['i2', 'i4']);
      await until(
        () =>
          page.evaluate(async () => {
            const { houseInView } = await import('/assets/live.js');
            return houseInView('h1').document.playlists.p1.montages[0].tracks[0].items.length === 2;
          }),
        'the page knows',
      );
      assert.equal(await page.locator('.item-row').count(), 6);
      await page.keyboard.press('Alt+ArrowUp');
      await spoken(page, `${inTheWay}Dunes at noon`);
      await page.getByRole('button', { name: 'Move down: Waves' }).click();
      await spoken(page, `${inTheWay}Waves`);
      await page.getByRole('button', { name: 'Take out: Dusk over the bay' }).click();
      await spoken(page, `${inTheWay}Dusk over the bay`);
      await page.evaluate(() => window.letGo());
      await until(async () => (await page.locator('.item-row').count()) === 5, 'what is there');
      assert.equal(track(mock), 'i2 i4');
      assert.equal(patches(mock), 0);
    }));

  test('rows are previewed by keyboard, from one to the next, and the focus comes back', () =>
    inside('/houses/h1/playlists/p1', async (page, mock) => {
      const dialog = page.getByRole('dialog');
      const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label'));
      await page.locator('.item-row').filter({ hasText: 'Dunes' }).focus();
      await page.keyboard.press('Enter');
      await dialog.getByRole('heading', { name: 'Dunes at noon' }).waitFor();
      await dialog.getByText('2 of 6').waitFor();
      await dialog.getByRole('button', { name: 'Next', exact: true }).click();
      await told(page, 'Dusk over the bay, 3 of 6');
      await page.keyboard.press('Enter');
      await told(page, 'Mobile, 4 of 6');
      assert.match(await dialog.locator('img').getAttribute('src'), /mobile\.png$/);
      await dialog.getByRole('button', { name: 'Previous', exact: true }).click();
      for (let turn = 0; turn < 3; turn += 1) await page.keyboard.press('ArrowLeft');
      await told(page, 'Fern study, 6 of 6');
      // The rows are drawn anew behind the dialog.
      otherEditor(mock, ['i1', 'i2', 'i4', 'i3']);
      await page.getByText(/^7 items/).waitFor();
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      assert.equal(await focused(), 'Preview: Dunes at noon');
      await page.keyboard.press('Enter');
      await dialog.getByText('2 of 7').waitFor();
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      assert.equal(await focused(), 'Preview: Dunes at noon');
      await page.getByRole('button', { name: 'Preview: Fern study' }).click();
      await dialog.getByText('7 of 7').waitFor();
    }));

  test('a refused order is taken back and told', () =>
    inside('/houses/h1/playlists/p1', async (page, mock) => {
      mock.fault = (request) => (request.method === 'PATCH' ? 412 : undefined);
      await page.locator('.item-row').filter({ hasText: 'Dunes' }).focus();
      await page.keyboard.press('Alt+ArrowUp');
      await spoken(page, 'Someone else changed this meanwhile.');
      await page.waitForFunction(() => document.querySelector('.item-row').textContent.includes('Waves'));
      assert.equal(track(mock), 'i1 i2 i4');
    }));

  test('two quick changes do not go over what somebody else changed meanwhile', () =>
    fresh(async (page, mock) => {
      await signIn(page, mock, '/houses/h1/playlists/p1');
      let open;
      const gate = new Promise((done) => {
        open = done;
      });
      await page.route('**/api/v1/houses/h1/playlists/p1', async (route) => {
        if (route.request().method() === 'PATCH') await gate;
        await route.continue();
      });
      await page.locator('.item-row').filter({ hasText: 'Waves' }).first().focus();
      await page.keyboard.press('Alt+ArrowDown');
      await page.keyboard.press('Alt+ArrowDown');
      otherEditor(mock, ['i4', 'i1', 'i2']);
      await until(
        () =>
          page.evaluate(async () => {
            const { houseInView } = await import('/assets/live.js');
            return houseInView('h1').document.playlists.p1.montages[0].tracks[0].items.join(' ') === 'i4 i1 i2';
          }),
        'the page knows',
      );
      open();
      await spoken(page, 'Someone else changed this meanwhile.');
      await page.waitForFunction(() => document.querySelector('.item-row').textContent.includes('Dusk'));
      assert.equal(track(mock), 'i4 i1 i2');
      assert.equal(patches(mock), 1);
    }));

  test('a playlist is made, filled, scheduled, chosen and removed', () =>
    inside('/houses/h1/playlists', async (page, mock) => {
      await page.getByRole('button', { name: 'New playlist' }).click();
      await page.getByLabel('Name of the playlist').fill('Vernissage');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { level: 1, name: 'Vernissage' }).waitFor();
      const id = page.url().split('/').at(-1);
      const mine = () => mock.document.playlists[id];
      await page.getByRole('button', { name: 'Add items to montage 1, main' }).click();
      await page.getByRole('dialog').getByText('Mobile').click();
      await page.getByRole('dialog').getByText('Fern study').click();
      await page.getByRole('button', { name: 'Add 2 items' }).click();
      await until(() => mine().montages[0].tracks[0].items.join() === 'i3,i6', 'two items');
      await page.getByLabel('Seconds for Mobile').fill('4.5');
      await page.keyboard.press('Tab');
      await until(() => mock.document.items.i3.duration_ms === 4500, 'the length');
      await page.getByRole('button', { name: 'Add a montage' }).click();
      await until(() => mine().montages[1]?.id === 'm2', 'a second montage');
      await page.getByRole('button', { name: 'Add a track to montage 1' }).click();
      await until(() => mine().montages[0].tracks[1]?.screen === 'side', 'a track on the other output');
      await page.getByRole('switch', { name: 'Schedule' }).click();
      await page.getByLabel('First day').fill('2026-12-01');
      await page.getByLabel('Priority').fill('3');
      await page.keyboard.press('Tab');
      await until(() => mine().schedule?.priority === 3 && mine().schedule.from_date === '2026-12-01', 'the schedule');
      await page.getByRole('button', { name: 'Now playing: Vernissage' }).click();
      await until(() => mock.document.house.playlist === id, 'the choice');
      await page.getByRole('button', { name: 'Remove', exact: true }).click();
      await page.getByText('it plays in this house now').waitFor();
      await page.getByRole('button', { name: 'Remove the playlist' }).click();
      await page.waitForURL(/\/playlists$/);
      assert.equal(mine(), undefined);
    }));
});
