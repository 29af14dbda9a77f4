// The page in a real browser against the mock: every view is looked at by axe, and the ways of using it are walked.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { accessible, launch, open, shapes, shot, signIn, tidy } from './browser.mjs';
import { start } from './mock.mjs';

let browser;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** Runs a test with a mock and a page of its own, both gone at the end. */
async function fresh(body, shape = 'light') {
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
const inside = (path, body, shape) =>
  fresh(async (page, mock) => {
    await signIn(page, mock, path);
    await body(page, mock);
  }, shape);

const spoken = (page, words) => page.getByRole('alert').filter({ hasText: words }).waitFor();
const told = (page, words) => page.getByRole('status').filter({ hasText: words }).first().waitFor();

/** Waits until a condition in the test's own process holds. */
async function until(condition, what) {
  const end = Date.now() + 15_000;
  while (!condition()) {
    assert.ok(Date.now() < end, `in vain: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

const views = {
  house: ['/houses/h1', '.card img:not([hidden])'],
  screen: ['/houses/h1/screens/s2', '.picture img:not([hidden])'],
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

describe('the doors', () => {
  test('a wrong password is told, the right one leads to where one wanted to go', () =>
    fresh(async (page, mock) => {
      await page.goto(`${mock.url}/houses/h1/log`);
      await page.waitForURL(/\/sign-in\?next=/);
      await page.getByLabel('E-mail address').fill('owner@example.org');
      await page.getByLabel('Password').fill('wrong');
      await page.keyboard.press('Enter');
      await spoken(page, 'The address or the password is not right.');
      await page.getByLabel('Password').fill('open the house');
      await page.keyboard.press('Enter');
      await page.waitForURL(/\/houses\/h1\/log$/);
      await page.getByRole('button', { name: /^Account of/ }).click();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.waitForURL(/\/sign-in$/);
    }));

  test('the one-time link makes the first operator once, and leaves the address bar', () =>
    fresh(async (page, mock) => {
      await page.goto(`${mock.url}/setup?token=spent`);
      assert.equal(new URL(page.url()).search, '');
      const send = async () => {
        await page.getByLabel('Your name').fill('Claire Aubert');
        await page.getByLabel('E-mail address').fill('owner@example.org');
        await page.getByLabel('Password').fill('a gallery by the river');
        await page.getByRole('button', { name: 'Begin' }).click();
      };
      await send();
      await spoken(page, 'This link was used already');
      await page.goto(`${mock.url}/setup?token=first`);
      await send();
      await page.waitForURL(/\/houses\/h1$/);
    }));
});

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
      await spoken(page, 'The house has a fault of its own (500) and changed nothing. Autostart is off.');
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
      await spoken(page, 'The house cannot be reached, so nothing was changed. Autostart is off, as last known.');
      assert.equal(await state(page), 'false');
    }));
});

describe('live', () => {
  test('changes and reports show without reload', () =>
    inside('/houses/h1', async (page, mock) => {
      const card = page.locator('[data-screen=s1]');
      await card.getByText('Playing').waitFor();
      mock.change({ screens: { s1: { name: 'Entrance hall' } }, house: { name: 'Galerie Nord' } });
      await card.getByRole('heading', { name: 'Entrance hall' }).waitFor();
      await page.getByRole('heading', { level: 1, name: 'Galerie Nord' }).waitFor();
      mock.report('s1', {
        online: true,
        seen: new Date().toISOString(),
        state: { ...mock.reports.s1.state, state: 'paused', title: 'Dunes at noon' },
      });
      await card.getByText('Paused').waitFor();
      await card.getByText('Dunes at noon').waitFor();
      mock.report('s1', { online: false, seen: new Date().toISOString() });
      await card.locator('.pill').getByText('Offline').waitFor();
      await page.getByText('3 screens: 0 playing, 2 offline').waitFor();
      assert.equal(await card.getByRole('button', { name: /^Next/ }).getAttribute('aria-disabled'), 'true');
    }));

  test('a patch out of step is answered with a hello without rev, and patches are ignored until the snapshot', () =>
    inside('/houses/h1', async (page, mock) => {
      await until(() => mock.hello.length === 1, 'the first hello');
      assert.equal(mock.hello[0].rev, undefined);
      mock.send({
        type: 'patch',
        epoch: mock.epoch,
        base_rev: 900,
        rev: 901,
        patch: { house: { name: 'Wrong' } },
        sha256: '',
      });
      await until(() => mock.hello.length === 2, 'the second hello');
      assert.equal(mock.hello[1].rev, undefined);
      mock.change({ house: { name: 'Right' } });
      await page.getByRole('heading', { level: 1, name: 'Right' }).waitFor();
    }));

  test('a cut connection is told calmly, comes back by itself and resumes from its revision', () =>
    inside('/houses/h1', async (page, mock) => {
      await until(() => mock.hello.length === 1, 'the first hello');
      await page.getByText('3 screens').waitFor();
      mock.fault = (request) => (request.headers.upgrade ? 'drop' : undefined);
      mock.cut();
      await told(page, 'No connection to the house.');
      await accessible(page, 'offline banner');
      await shot(page, 'light-offline');
      mock.fault = () => undefined;
      await page.locator('#banner').waitFor({ state: 'hidden' });
      assert.equal(mock.hello.at(-1).rev, mock.rev);
    }));

  test('the picture is fetched anew and the last good one is kept', () =>
    inside('/houses/h1', async (page, mock) => {
      const img = page.locator('[data-screen=s1] .picture img');
      await img.waitFor();
      assert.equal(await img.getAttribute('alt'), 'Live picture of Foyer: Waves');
      const first = await img.getAttribute('src');
      await page.waitForFunction(
        (old) => document.querySelector('[data-screen=s1] .picture img').getAttribute('src') !== old,
        first,
      );
      mock.fault = (request) => (request.url.includes('/picture') ? 404 : undefined);
      const asked = () => mock.requests.filter(({ path }) => path.includes('s1/picture')).length;
      const before_ = asked();
      await until(() => asked() > before_, 'another try');
      assert.ok(await img.isVisible());
    }));
});

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
        () => mock.commands.some(({ command, screen }) => command === 'identify' && screen === 's3'),
        'identify',
      );
      assert.deepEqual(
        mock.commands
          .map(({ screen, command, power }) => [screen, command, power].filter(Boolean).join(' '))
          .slice(0, 5),
        ['s1 next', 's1 pause', 's1 display off', 's1 stop', 's2 stop'],
      );
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
      assert.match(await page.getByLabel('The new token').last().inputValue(), /^mb_/);
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
      await until(() => mock.requests.at(-1).path.includes('to='), 'the filter');
      const wanted = 'screen=s1&from=2026-06-30T22%3A00%3A00.000Z&to=2026-12-31T23%3A00%3A00.000Z';
      assert.equal(mock.requests.at(-1).path, `/api/v1/houses/h1/plays?${wanted}&limit=100`);
      assert.equal(
        await page.getByRole('link', { name: 'CSV' }).getAttribute('href'),
        `/api/v1/houses/h1/plays.csv?${wanted}`,
      );
    }));
});

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

  test('a refused order is taken back and told', () =>
    inside('/houses/h1/playlists/p1', async (page, mock) => {
      mock.fault = (request) => (request.method === 'PATCH' ? 412 : undefined);
      await page.locator('.item-row').filter({ hasText: 'Dunes' }).focus();
      await page.keyboard.press('Alt+ArrowUp');
      await spoken(page, 'Someone else changed this meanwhile.');
      await page.waitForFunction(() => document.querySelector('.item-row').textContent.includes('Waves'));
      assert.equal(track(mock), 'i1 i2 i4');
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
});

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
