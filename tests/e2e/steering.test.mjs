// Commands, settings, people, pairing and the play log.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { accessible, shot, signIn } from './browser.mjs';
import { fresh, inside, looked, spoken, told } from './inside.mjs';
import { until } from './real.mjs';

describe('steering', () => {
  test('commands go to a screen, a group and the house', () =>
    inside('/houses/h1', async (page, mock) => {
      await page.getByRole('button', { name: 'Next: Foyer' }).click();
      await page.locator('[data-screen=s1]').getByText('Dunes at noon').waitFor();
      await page.getByRole('button', { name: 'Pause: Foyer' }).click();
      await page.getByRole('button', { name: 'Play: Foyer' }).waitFor();
      await page.getByRole('button', { name: 'Display off: Foyer' }).click();
      await page.getByRole('button', { name: 'Display on: Foyer' }).waitFor();
      await page.getByRole('button', { name: 'Stop: Ground floor' }).click();
      await page.getByRole('button', { name: 'Identify: all screens' }).click();
      await until(
        () => mock.commands.some(({ command, screen }) => command === 'identify' && screen === 's2'),
        'identify',
      );
      await told(page, 'Not connected: Upstairs cabinet.');
      assert.deepEqual(
        mock.commands
          .map(({ screen, command, power }) => [screen, command, power].filter(Boolean).join(' '))
          .slice(0, 5),
        ['s1 next', 's1 pause', 's1 display off', 's1 stop', 's2 stop'],
      );
    }));

  test('a command that is refused, or not answered, is told in the words of the house', () =>
    inside('/houses/h1', async (page, mock) => {
      const next = page.getByRole('button', { name: 'Next: Foyer' });
      mock.answer = () => 'nothing is playing: start with "play" or go to a position';
      await next.click();
      await spoken(page, 'Nothing is playing: start with "play" or go to a position.');
      await page.getByRole('button', { name: 'Next: all screens' }).click();
      await spoken(page, 'Foyer refused: Nothing is playing');
      await spoken(page, 'Not connected: Upstairs cabinet.');
      mock.answer = (screen) => (screen === 's2' ? 'the display is off' : undefined);
      await page.getByRole('button', { name: 'Stop: Ground floor' }).click();
      await spoken(page, 'Window on the street refused: The display is off.');
      await accessible(page, 'a refused command');
      await shot(page, 'light-refused');
      mock.answer = () => null;
      await next.click();
      await told(page, 'No answer yet from Foyer.');
      // The house knows that it is gone before the page does.
      mock.reports.s1.online = false;
      await next.click();
      await spoken(page, 'The screen is not connected now; settings reach it when it comes back.');
      for (const status of [409, 422, 504]) {
        const refusal = { status, detail: `reason number ${status}` };
        mock.fault = ({ url }) => (url.endsWith('/commands') ? refusal : undefined);
        await next.click();
        await spoken(page, `Reason number ${status}.`);
      }
    }));

  test('what becomes of the box is said truly before a screen or a house is removed', () =>
    inside('/houses/h1/screens/s1', async (page, mock) => {
      await page.getByRole('button', { name: 'Remove', exact: true }).click();
      await page.getByText('It keeps playing what it last knew of the house until it is paired anew.').waitFor();
      await page.keyboard.press('Escape');
      await page.goto(`${mock.url}/houses/h1/settings`);
      await page.getByRole('button', { name: 'Remove the house' }).click();
      await page.getByText('Its boxes keep playing what they last knew of it until they are paired anew.').waitFor();
      await page.getByRole('dialog').getByRole('button', { name: 'Remove the house' }).click();
      await page.waitForURL(/\/houses$/);
      await page.getByRole('heading', { level: 1, name: 'Houses' }).waitFor();
      assert.equal(await page.locator('.house-list a').count(), 0);
      assert.equal(await page.getByText('You may no longer see').count(), 0);
    }));

  test('a screen takes a setting of its own and inherits it again', () =>
    inside('/houses/h1/screens/s2', async (page, mock) => {
      await page.getByRole('button', { name: 'Set here: Volume' }).click();
      await page.getByRole('slider', { name: 'Volume' }).fill('55');
      await until(() => mock.document.screens.s2.volume === 0.55, 'the volume');
      await page.getByRole('button', { name: 'Inherit: Volume' }).click();
      await until(() => mock.document.screens.s2.volume === undefined, 'no volume');
      await page.getByRole('button', { name: 'Set here: Standby now' }).click();
      await page.getByRole('switch', { name: 'Standby now' }).click();
      await until(() => mock.document.screens.s2.standby === true, 'standby');
      await page.getByLabel('Group').selectOption({ label: 'None' });
      await until(() => mock.document.screens.s2.group === undefined, 'no group');
      await page.getByRole('button', { name: 'Remove', exact: true }).click();
      await page.getByRole('button', { name: 'Remove the screen' }).click();
      await page.waitForURL(/\/houses\/h1$/);
      assert.equal(mock.document.screens.s2, undefined);
    }));

  test('a group is made, filled and steered together', () =>
    inside('/houses/h1', async (page, mock) => {
      await page.getByRole('button', { name: 'New group' }).click();
      await page.getByLabel('Name of the group').fill('Upstairs');
      await page.getByRole('button', { name: 'Make the group' }).click();
      await page.getByRole('heading', { level: 1, name: 'Upstairs' }).waitFor();
      await page.getByLabel('Upstairs cabinet').check();
      await until(
        () => mock.document.groups[mock.document.screens.s3.group]?.name === 'Upstairs',
        'the screen in the group',
      );
      await page.getByRole('button', { name: 'Set here: Now playing' }).click();
      await page.getByLabel('Now playing', { exact: true }).selectOption({ label: 'Quiet hours' });
      const group = () => mock.document.groups[mock.document.screens.s3.group];
      await until(() => group().playlist === 'p2', 'the playlist of the group');
    }));

  test('settings of the house are saved one by one, and a stale one is told', () =>
    inside('/houses/h1/settings', async (page, mock) => {
      await page.getByLabel('Default playlist').selectOption({ label: 'Summer hang' });
      await until(() => mock.document.house.default_playlist === 'p1', 'the default');
      await page.getByRole('switch', { name: 'Mute' }).click();
      await until(() => mock.document.house.mute === true, 'mute');
      await page.getByLabel('Time zone').fill('Europe/Nowhere');
      await page.keyboard.press('Tab');
      await page.getByText('No such time zone.').waitFor();
      await page.getByLabel('Time zone').fill('Asia/Tokyo');
      await page.keyboard.press('Tab');
      await until(() => mock.document.house.time_zone === 'Asia/Tokyo', 'the zone');
      await page.getByRole('button', { name: 'Add hours' }).click();
      await until(() => mock.document.house.display_hours.length === 2, 'two windows');
      await page.getByRole('group', { name: 'Display hours, hours 2' }).getByLabel('Monday').uncheck({ force: true });
      await until(() => !mock.document.house.display_hours[1].days.includes('mon'), 'no Monday');
      mock.fault = (request) => (request.method === 'PATCH' ? 412 : undefined);
      await page.getByLabel('Fit').selectOption({ label: 'Fill the screen, cut the edges' });
      await spoken(page, 'Someone else changed this meanwhile.');
      await page.waitForFunction(() =>
        [...document.querySelectorAll('select')].some(({ value }) => value === 'contain'),
      );
    }));

  test('people, tokens and alerts', () =>
    inside('/houses/h1/settings', async (page, mock) => {
      await page.getByRole('button', { name: 'New token' }).click();
      await page.getByLabel('What it is for').fill('Lobby tablet');
      await page.getByRole('button', { name: 'Make the token' }).click();
      assert.match(await page.getByLabel('The new token').last().inputValue(), /^musebox_/);
      await shot(page, 'light-token');
      await page.getByRole('button', { name: 'Done' }).click();
      await page.getByRole('button', { name: 'Revoke Lobby tablet' }).click();
      await page.getByRole('button', { name: 'Revoke', exact: true }).click();
      await page.getByRole('button', { name: 'Revoke Lobby tablet' }).waitFor({ state: 'detached' });
      await page.getByRole('button', { name: 'Add a person' }).click();
      await page.getByLabel('E-mail address', { exact: true }).fill('new@example.org');
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      assert.match(await page.getByLabel('A link for them').last().inputValue(), /setup\?token=/);
      await page.getByRole('button', { name: 'Done' }).click();
      await page.getByLabel('After minutes of silence').fill('7');
      await page.getByRole('button', { name: 'Save alerts' }).click();
      await told(page, 'Alerts saved');
      const put = mock.requests.filter(({ method }) => method === 'PUT');
      assert.equal(put.length, 1);
    }));

  test('alerts that somebody else has saved meanwhile are not overwritten', () =>
    inside('/houses/h1/settings', async (page, mock) => {
      const minutes = page.getByLabel('After minutes of silence');
      await until(async () => (await minutes.inputValue()) === '5', 'the alerts');
      mock.access.alerts = { email: ['jon@example.org'], silent_after_s: 600 };
      await minutes.fill('7');
      await page.getByRole('button', { name: 'Save alerts' }).click();
      await spoken(page, 'Someone else changed this meanwhile.');
      await until(async () => (await minutes.inputValue()) === '10', 'theirs');
      assert.equal(mock.access.alerts.silent_after_s, 600);
      await minutes.fill('8');
      await page.getByRole('button', { name: 'Save alerts' }).click();
      await told(page, 'Alerts saved');
      assert.deepEqual(mock.access.alerts, { email: ['jon@example.org'], silent_after_s: 480 });
    }));

  test('alerts whose saving was not answered are one\'s own, not somebody else\'s', () =>
    inside('/houses/h1/settings', async (page, mock) => {
      const minutes = page.getByLabel('After minutes of silence');
      const save = page.getByRole('button', { name: 'Save alerts' });
      await until(async () => (await minutes.inputValue()) === '5', 'the alerts');
      const unanswered = async (number, isSaved) => {
        await minutes.fill(String(number));
        mock.fault = ({ method }) => (method === 'PUT' ? 'drop' : undefined);
        if (isSaved) mock.access.alerts = { email: ['owner@example.org'], silent_after_s: number * 60 };
        const failed = page.waitForEvent('requestfailed', (request) => request.method() === 'PUT');
        await save.click();
        await failed;
        await until(() => save.isEnabled(), 'it can be tried again');
        mock.fault = () => undefined;
      };
      await unanswered(7, true);
      await spoken(page, 'The house cannot be reached.');
      await save.click();
      await told(page, 'Alerts saved');
      assert.equal(await minutes.inputValue(), '7');
      await unanswered(8, true);
      await unanswered(9, false);
      await minutes.fill('10');
      await save.click();
      await until(() => mock.access.alerts.silent_after_s === 600, 'the newest');
      assert.equal(await minutes.inputValue(), '10');
    }));

  test('alerts cannot be typed before they are there, nor overwritten by an answer from before they were saved', () =>
    fresh(async (page, mock) => {
      mock.fault = ({ url }) => (url.endsWith('/alerts') ? 'hang' : undefined);
      await signIn(page, mock, '/houses/h1/settings');
      const minutes = page.getByLabel('After minutes of silence');
      const save = page.getByRole('button', { name: 'Save alerts' });
      await minutes.waitFor();
      assert.ok((await minutes.isDisabled()) && (await save.isDisabled()));
      mock.fault = () => undefined;
      await page.reload();
      await until(async () => (await minutes.inputValue()) === '5', 'the alerts');
      // What is asked for now comes only when the next is saved.
      let release;
      const held = new Promise((resolve) => (release = resolve));
      const asked = new Promise((resolve) =>
        page.route('**/alerts', async (route) => {
          if (route.request().method() !== 'GET') return route.continue();
          const response = await route.fetch();
          resolve();
          await held;
          return route.fulfill({ response });
        }),
      );
      await looked(page, false);
      await looked(page, true);
      await asked;
      await minutes.fill('7');
      await save.click();
      await told(page, 'Alerts saved');
      const old = page.waitForEvent(
        'requestfinished',
        (request) => request.method() === 'GET' && request.url().endsWith('/alerts'),
      );
      release();
      await old;
      assert.equal(await minutes.inputValue(), '7');
      await minutes.fill('8');
      await save.click();
      await until(() => mock.access.alerts.silent_after_s === 480, 'the newest');
    }));

  test('tokens are listed with their last use, and those that are revoked are not', () =>
    inside('/houses/h1/settings', async (page, mock) => {
      const [till] = mock.access.tokens;
      till.last_used = new Date(Date.now() - 2 * 3_600_000).toISOString();
      mock.access.tokens.push({ ...till, id: 'k3', name: 'Elsewhere', house: 'h7' });
      mock.access.tokens.push({ id: 'k4', name: 'Ladder', role: 'owner', made: till.made, revoked: false });
      await page.reload();
      await page.getByText(/^Viewer · made .* · last used 2 hours ago$/).waitFor();
      await page.getByText(/^Owner · for all your houses · made .* · never used$/).waitFor();
      await page.getByText('1 revoked token not shown.').waitFor();
      for (const name of ['Old till', 'Elsewhere']) assert.equal(await page.getByText(name).count(), 0, name);
      await page.getByRole('button', { name: 'Revoke Till system' }).click();
      await page.getByRole('button', { name: 'Revoke', exact: true }).click();
      await page.getByText('2 revoked tokens not shown.').waitFor();
      assert.equal(await page.getByText('Till system').count(), 0);
    }));

  test('a screen is paired after its number was compared, from the code typed any way', () =>
    inside('/houses/h1/pair', async (page, mock) => {
      await page.getByLabel('Code on the screen').fill('zzzz zzzz');
      await page.keyboard.press('Enter');
      await spoken(page, 'No screen shows this code now.');
      await page.getByLabel('Code on the screen').fill('bcdf ghjk');
      await page.keyboard.press('Enter');
      await page.getByText('482 913').waitFor();
      await page.getByRole('button', { name: 'It differs: refuse' }).click();
      await spoken(page, 'The box was refused');
      await page.goto(`${mock.url}/pair?code=BCDF-GHJK`);
      await page.waitForURL(/\/houses\/h1\/pair\?code=BCDF-GHJK$/);
      await page.getByLabel('Name of the screen').fill('Stairs');
      await page.getByRole('button', { name: 'The number is the same: add it' }).click();
      await page.getByRole('heading', { name: 'Stairs' }).waitFor();
      assert.equal(mock.document.screens.s9.name, 'Stairs');
    }));

  test('the play log is filtered by days of the house, and the CSV asks the same', () =>
    inside('/houses/h1/log', async (page, mock) => {
      await page.locator('tbody tr').first().waitFor();
      await page.getByLabel('Screen').selectOption({ label: 'Foyer' });
      await page.getByLabel('From', { exact: true }).fill('2026-07-01');
      await page.getByLabel('To', { exact: true }).fill('2026-12-31');
      const last = () => mock.requests.filter(({ path }) => path.includes('/plays?')).at(-1).path;
      await until(() => last().includes('to='), 'the filter');
      const wanted = 'screen=s1&from=2026-06-30T22%3A00%3A00.000Z&to=2026-12-31T23%3A00%3A00.000Z';
      assert.equal(last(), `/api/v1/houses/h1/plays?${wanted}&limit=100`);
      assert.equal(
        await page.getByRole('link', { name: 'CSV' }).getAttribute('href'),
        `/api/v1/houses/h1/plays.csv?${wanted}`,
      );
    }));

  test('older entries of the play log are all there, also those of the same moment', () =>
    fresh(async (page, mock) => {
      // Each showing has a length of its own; about the end of the first page several began in the same millisecond.
      const first = Date.now() - 60_000;
      mock.plays = Array.from({ length: 250 }, (_, n) => ({
        seq: 900 - n,
        at: new Date(first - (n >= 90 && n < 110 ? 100 : n) * 1_000).toISOString(),
        screen: 's1',
        output: 'main',
        playlist: 'p1',
        item: 'i1',
        duration_ms: (n + 1) * 100,
      }));
      await signIn(page, mock, '/houses/h1/log');
      const rows = page.locator('tbody tr');
      const more = page.getByRole('button', { name: 'Show older' });
      await until(async () => (await rows.count()) === 100, 'the first page');
      await more.click();
      await until(async () => (await rows.count()) === 200, 'the second page');
      await more.click();
      await until(async () => (await rows.count()) === 250, 'the last page');
      await more.waitFor({ state: 'hidden' });
      const lengths = await page.locator('tbody tr .number').allTextContents();
      assert.equal(new Set(lengths).size, 250);
    }));
});
