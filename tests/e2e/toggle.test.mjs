// The AutostartToggle, with a house that obeys, refuses or does not answer.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { accessible, shot } from './browser.mjs';
import { inside, spoken } from './inside.mjs';
import { until } from './real.mjs';

describe('the AutostartToggle', () => {
  const toggle = (page) => page.getByRole('switch', { name: 'Autostart' });
  const state = (page) => toggle(page).getAttribute('aria-checked');
  const settled = (page, value) => page.locator(`.autostart [role=switch][aria-checked=${value}]`).waitFor();
  const isPatch = (request) => request.method === 'PATCH' && request.url === '/api/v1/houses/h1';

  test('flips at once, sends If-Match and is remembered', () =>
    inside('/houses/h1', async (page, mock) => {
      let release;
      const answered = new Promise((resolve) => {
        release = resolve;
      });
      await page.route('**/api/v1/houses/h1', async (route) => {
        await answered;
        await route.continue();
      });
      assert.equal(await state(page), 'false');
      assert.ok(await page.locator('.autostart svg').first().isVisible(), 'its icon');
      await toggle(page).click();
      assert.equal(await state(page), 'true');
      assert.equal(await page.evaluate(() => localStorage.getItem('house_autostart')), '{"h1":true}');
      assert.equal(mock.document.house.autostart_playlist, false);
      release();
      await until(() => mock.document.house.autostart_playlist, 'the house to know');
      const sent = mock.requests.find(({ method, path }) => method === 'PATCH' && path === '/api/v1/houses/h1');
      assert.equal(sent.headers['if-match'], '"7"');
      await shot(page, 'light-autostart-on');
      await accessible(page, 'autostart on');
    }));

  test('is painted right before the server answers', () =>
    inside('/houses/h1', async (page, mock) => {
      await toggle(page).click();
      await until(() => mock.document.house.autostart_playlist, 'the house to know');
      mock.fault = () => 'hang';
      await page.reload();
      await settled(page, true);
    }));

  test('shows what another page flipped', () =>
    inside('/houses/h1', async (page, mock) => {
      mock.change({ house: { autostart_playlist: true, rev: 50 } });
      await settled(page, true);
      assert.equal(await page.evaluate(() => localStorage.getItem('house_autostart')), '{"h1":true}');
    }));

  test('two flips in a row end where the last one was', () =>
    inside('/houses/h1', async (page, mock) => {
      await toggle(page).click();
      await toggle(page).click();
      await toggle(page).click();
      await until(() => mock.requests.filter(({ method }) => method === 'PATCH').length === 3, 'three changes');
      await until(() => mock.document.house.autostart_playlist, 'the last one');
      assert.equal(await state(page), 'true');
    }));

  test('goes back on 412 and says what it is now', () =>
    inside('/houses/h1', async (page, mock) => {
      mock.fault = (request) => (isPatch(request) ? 412 : undefined);
      await toggle(page).click();
      await spoken(page, 'Someone else changed it meanwhile; it is now off.');
      assert.equal(await state(page), 'false');
      assert.equal(await page.evaluate(() => localStorage.getItem('house_autostart')), '{"h1":false}');
      await shot(page, 'light-autostart-412');
      await accessible(page, 'a spoken reason');
    }));

  test('takes what the house has on 412, not what it was here', () =>
    inside('/houses/h1', async (page, mock) => {
      mock.fault = (request) => {
        if (!isPatch(request)) return undefined;
        Object.assign(mock.document.house, { autostart_playlist: true, rev: 60 });
        return 412;
      };
      await toggle(page).click();
      await spoken(page, 'Someone else changed it meanwhile; it is now on.');
      assert.equal(await state(page), 'true');
    }));

  test('goes back on 500', () =>
    inside('/houses/h1', async (page, mock) => {
      mock.fault = (request) => (isPatch(request) ? 500 : undefined);
      await toggle(page).click();
      await spoken(page, 'The house has a fault of its own (500). Autostart is off.');
      assert.equal(await state(page), 'false');
    }));

  test('goes back after 8 seconds without an answer', () =>
    inside('/houses/h1', async (page, mock) => {
      mock.fault = (request) => (isPatch(request) ? 'hang' : undefined);
      await toggle(page).click();
      assert.equal(await state(page), 'true');
      await spoken(page, 'The house did not answer within 8 seconds.');
      assert.equal(await state(page), 'false');
    }));

  test('goes back when offline', () =>
    inside('/houses/h1', async (page) => {
      await page.getByText('3 screens').waitFor();
      await page.context().setOffline(true);
      await toggle(page).click();
      await spoken(page, 'The house cannot be reached, and may not have heard of this. Autostart is off, as last known.');
      assert.equal(await state(page), 'false');
    }));

  test('shows what the house has when only its answer was lost', () =>
    inside('/houses/h1', async (page, mock) => {
      mock.fault = (request) => (isPatch(request) ? 'lose' : undefined);
      await toggle(page).click();
      await until(() => mock.document.house.autostart_playlist, 'the house to know');
      await settled(page, true);
      mock.fault = (request) => (isPatch(request) ? 'drop' : undefined);
      await toggle(page).click();
      await spoken(page, 'The house could not be reached for a moment. Autostart is on.');
      assert.equal(await state(page), 'true');
    }));
});
