// The page in a real browser against the mock: every view is looked at by axe, and the ways of using it are walked.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { accessible, launch, open, shapes, shot, signIn, tidy } from './browser.mjs';
import { png } from './art.mjs';
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
  while (!(await condition())) {
    assert.ok(Date.now() < end, `in vain: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

/** The page thinks that somebody looks at it again, or not any more. */
const looked = (page, visible) =>
  page.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => state === 'hidden' });
    document.dispatchEvent(new Event('visibilitychange'));
  }, visible ? 'visible' : 'hidden');

/** What another editor does to the playlist: the items of its first track are these. */
function otherEditor(mock, items) {
  const { montages } = structuredClone(mock.document.playlists.p1);
  montages[0].tracks[0].items = items;
  mock.change({ playlists: { p1: { rev: mock.rev + 1, montages } } });
}

const views = {
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

  test('a link fills in the sign-in, signs nobody in by itself and leaves the address bar', () =>
    fresh(async (page, mock) => {
      const door = `${mock.url}/sign-in?next=%2Fhouses%2Fh1%2Flog`;
      const link = `${door}#email=owner%40example.org&password=open%20the%20house`;
      const filled = async () => {
        await page.waitForFunction(() => document.activeElement.textContent === 'Sign in');
        assert.equal(page.url(), door);
        assert.equal(await page.getByLabel('E-mail address').inputValue(), 'owner@example.org');
        assert.equal(await page.getByLabel('Password').inputValue(), 'open the house');
        await page.waitForLoadState('networkidle');
        assert.deepEqual(mock.requests, []);
      };
      await page.goto(link);
      await filled();
      await accessible(page, 'a sign-in that is filled in');
      // Followed where the page is shown already, it does not load the page anew.
      await page.getByLabel('Password').fill('another');
      await page.evaluate(() => {
        window.stays = true;
      });
      await page.goto(link);
      await filled();
      assert.equal(await page.evaluate(() => window.stays), true);
      await page.keyboard.press('Enter');
      await page.waitForURL(`${mock.url}/houses/h1/log`);
      await page.goto(`${mock.url}/sign-in#elsewhere`);
      await page.waitForFunction(() => document.activeElement.id === 'email');
      assert.equal(await page.getByLabel('Password').inputValue(), '');
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

  test('nobody is led to another address after signing in', () =>
    fresh(async (page, mock) => {
      const asked = new Set();
      page.on('request', (request) => asked.add(new URL(request.url()).origin.replace(/^null$/, mock.url)));
      for (const next of ['/.//example.org', '//example.org', '/\\example.org', 'https://example.org/', 'http://[']) {
        await page.goto(`${mock.url}/sign-in?next=${encodeURIComponent(next)}`);
        await page.getByLabel('E-mail address').fill('owner@example.org');
        await page.getByLabel('Password').fill('open the house');
        await page.keyboard.press('Enter');
        await page.waitForURL(`${mock.url}/houses/h1`);
      }
      assert.deepEqual([...asked], [mock.url]);
    }));

  const invite = async (page, email, role) => {
    await page.getByRole('button', { name: 'Add a person' }).click();
    await page.getByLabel('E-mail address', { exact: true }).fill(email);
    await page.getByLabel('Rights').selectOption({ label: role });
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    const link = await page.getByLabel('A link for them').last().inputValue();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    return link;
  };

  test('somebody new is invited by a link, and makes an account with it', () =>
    inside('/houses/h1/settings', async (page, mock) => {
      const link = await invite(page, 'new@example.org', 'Viewer: may look');
      const sent = mock.requests.find(({ method, path }) => method === 'POST' && path.endsWith('/members'));
      assert.deepEqual(sent.json, { email: 'new@example.org', role: 'viewer' });
      assert.equal(await page.getByText('new@example.org').count(), 0, 'nobody is a member yet');
      await page.context().clearCookies();
      await page.goto(link);
      await page.getByText('You are invited to Galerie du Quai as a viewer, who may look.').waitFor();
      assert.equal(new URL(page.url()).search, '');
      assert.equal(await page.getByLabel('E-mail address').inputValue(), 'new@example.org');
      await accessible(page, 'an invitation');
      await shot(page, 'light-invited');
      await page.getByLabel('Your name').fill('Noa Berg');
      await page.getByLabel('Password').fill('a lamp by the window');
      await page.getByRole('button', { name: 'Accept' }).click();
      await page.waitForURL(/\/houses$/);
      await page.getByText('You may look at it').waitFor();
      assert.equal(mock.access.members.at(-1).role, 'viewer');
      await page.goto(link);
      await spoken(page, 'This link was used already');
      assert.equal(await page.getByRole('button', { name: 'Accept' }).count(), 0);
    }));

  test('somebody who has an account accepts with its password', () =>
    inside('/houses/h1/settings', async (page, mock) => {
      const link = await invite(page, 'mira@example.org', 'Editor: may change what plays');
      await page.context().clearCookies();
      await page.goto(link);
      await page.getByText('Sign in with your password to accept.').waitFor();
      assert.equal(await page.getByLabel('Your name').isVisible(), false);
      await accessible(page, 'an invitation to somebody known');
      await shot(page, 'light-invited-known');
      await page.getByLabel('Password').fill('wrong');
      await page.keyboard.press('Enter');
      await spoken(page, 'The password is not right.');
      await page.getByLabel('Password').fill('a house on the hill');
      await page.keyboard.press('Enter');
      await page.waitForURL(/\/houses$/);
      await page.getByText('You may change it').waitFor();
      assert.deepEqual(mock.access.members.at(-1), { id: 'u3', role: 'editor' });
      const sent = mock.requests.filter(({ path }) => path === '/api/v1/setup').at(-1);
      assert.deepEqual(Object.keys(sent.json), ['link_token', 'password']);
    }));

  test('a member who is added again has other rights, without a link', () =>
    inside('/houses/h1/settings', async (page, mock) => {
      await page.getByRole('button', { name: 'Add a person' }).click();
      await page.getByLabel('E-mail address', { exact: true }).fill('jon@example.org');
      await page.getByLabel('Rights').selectOption({ label: 'Viewer: may look' });
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await told(page, 'jon@example.org was in this house already');
      await page.getByText('Viewer · jon@example.org').waitFor();
      assert.deepEqual(mock.access.members[1], { id: 'u2', role: 'viewer' });
    }));

  test('an invitation is asked for again where the house did not answer', () =>
    fresh(async (page, mock) => {
      mock.access.invitations.set('t', { email: 'new@example.org', role: 'editor' });
      const away = { status: 503, detail: 'the database is away' };
      mock.fault = ({ url }) => (url.includes('/invitation') ? away : undefined);
      await page.goto(`${mock.url}/setup?token=t&email=new%40example.org`);
      await spoken(page, 'The database is away.');
      mock.fault = () => undefined;
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByText('You are invited to Galerie du Quai as an editor').waitFor();
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

  test('people, alerts and houses are asked for again when they may be old', () =>
    inside('/houses/h1/settings', async (page, mock) => {
      const minutes = page.getByLabel('After minutes of silence');
      await page.getByText('Jon Weir').waitFor();
      await until(async () => (await minutes.inputValue()) === '5', 'the alerts');
      await until(() => mock.hello.length === 1, 'the first hello');
      // The house changed.
      mock.access.members.push({ id: 'u3', role: 'viewer' });
      mock.change({ house: { volume: 0.3, rev: mock.rev + 1 } });
      await page.getByText('Mira Sol').waitFor();
      // Somebody looks at the page again.
      mock.access.alerts.silent_after_s = 600;
      mock.access.tokens[1].revoked = false;
      await looked(page, false);
      await looked(page, true);
      await until(async () => (await minutes.inputValue()) === '10', 'the new alerts');
      await page.getByRole('button', { name: 'Revoke Old till' }).waitFor();
      // The connection is back.
      await minutes.fill('33');
      mock.access.alerts.silent_after_s = 1200;
      mock.access.members.pop();
      mock.cut();
      await page.getByText('Mira Sol').waitFor({ state: 'detached' });
      assert.equal(await minutes.inputValue(), '33', 'what is typed stays');
      await page.goto(`${mock.url}/houses`);
      await page.getByRole('link', { name: /^Galerie du Quai/ }).waitFor();
      mock.document.house.name = 'Galerie Nord';
      await looked(page, false);
      await looked(page, true);
      await page.getByRole('link', { name: /^Galerie Nord/ }).waitFor();
    }));

  test('a page that nobody looks at does not ask', () =>
    fresh(async (page, mock) => {
      await page.clock.install();
      await signIn(page, mock, '/houses/h1/settings');
      await page.getByText('Jon Weir').waitFor();
      await until(() => mock.hello.length === 1, 'the first hello');
      await looked(page, false);
      const asked = () => mock.requests.filter(({ path }) => path.endsWith('/members')).length;
      const before_ = asked();
      mock.change({ house: { name: 'Galerie Nord', rev: mock.rev + 1 } });
      await page.getByRole('button', { name: /^House: Galerie Nord/ }).waitFor();
      await page.clock.runFor(60_000);
      await looked(page, true);
      await until(() => asked() > before_, 'it is looked at again');
      assert.equal(asked(), before_ + 1);
    }));

  test('who may no longer see the house is told so, and comes to the list of houses', () =>
    inside('/houses/h1/playlists/p1', async (page, mock) => {
      await until(() => mock.hello.length === 1, 'the first hello');
      await page.waitForLoadState('networkidle');
      await page.getByRole('button', { name: 'Rename' }).click();
      mock.setRole(undefined);
      await page.waitForURL(/\/houses$/);
      await spoken(page, 'You may no longer see Galerie du Quai, or it was removed.');
      await page.getByRole('heading', { level: 1, name: 'Houses' }).waitFor();
      assert.equal(await page.locator('dialog').count(), 0);
      assert.equal(await page.locator('.house-list a').count(), 0);
      await accessible(page, 'a right that was lost');
      await shot(page, 'light-right-lost');
      // Let in again, the house is there as before.
      mock.setRole('editor');
      await looked(page, true);
      await page.getByRole('link', { name: /^Galerie du Quai/ }).click();
      await page.getByText('3 screens').waitFor();
      await until(() => mock.hello.length === 2, 'another hello');
    }));

  test('who is barred by mistake comes back by itself', () =>
    inside('/houses/h1', async (page, mock) => {
      await until(() => mock.hello.length === 1, 'the first hello');
      const { members } = mock.access;
      mock.access.members = [];
      mock.recheck();
      mock.access.members = members;
      await until(() => mock.hello.length === 2, 'another hello');
      await page.locator('#banner').waitFor({ state: 'hidden' });
      assert.equal(new URL(page.url()).pathname, '/houses/h1');
    }));

  test('another role shows within half a minute, without a reload', () =>
    fresh(async (page, mock) => {
      await page.clock.install();
      await signIn(page, mock, '/houses/h1/screens/s1');
      await page.getByRole('button', { name: 'Rename' }).waitFor();
      await page.waitForLoadState('networkidle');
      await page.getByRole('button', { name: 'Rename' }).click();
      mock.setRole('viewer');
      await page.clock.runFor(30_000);
      await told(page, 'You are a viewer of this house now');
      assert.equal(await page.locator('dialog').count(), 0);
      assert.equal(await page.getByRole('button', { name: 'Rename' }).count(), 0);
      await accessible(page, 'a role that changed');
      mock.setRole('editor');
      await page.clock.runFor(30_000);
      await page.getByRole('button', { name: 'Rename' }).waitFor();
    }));

  test('a viewer has nothing to change anything with', () =>
    inside('/houses/h1', async (page, mock) => {
      await page.getByText('3 screens').waitFor();
      await page.waitForLoadState('networkidle');
      mock.setRole('viewer');
      await looked(page, true);
      await told(page, 'You are a viewer of this house now');
      const places = [...Object.entries(views).filter(([name]) => !/^(houses|no-such|settings|pair-check)/.test(name))];
      places.push(['settings', ['/houses/h1/settings', '.setting']]);
      for (const [name, [path, mark]] of places) {
        await page.goto(mock.url + path);
        await page.locator(mark).first().waitFor();
        const open_ = await page.evaluate(() =>
          [...document.querySelectorAll('main :is(button, input, select)')]
            .filter((one) => one.checkVisibility() && !one.disabled && one.getAttribute('aria-disabled') !== 'true')
            .map((one) => one.ariaLabel ?? one.labels?.[0]?.textContent ?? one.textContent)
            // Looking is what a viewer may do.
            .filter((label) => !/^(Preview: |(Screen|From|To|Code on the screen)$)/.test(label)),
        );
        const allowed = name === 'media' ? open_.filter((label) => !/MB|kB/.test(label)) : open_;
        assert.deepEqual(allowed, [], name);
        await shot(page, `viewer-${name}`);
      }
      const written = mock.requests.filter(
        ({ method, path }) => !['GET', 'HEAD'].includes(method) && path !== '/api/v1/sign-in',
      );
      assert.deepEqual(written, []);
    }));

  /** Which picture is asked for: "s1", or "s1/side" of another output than the first. */
  const pictureOf = (path) => {
    const url = new URL(path, 'http://mock');
    const screen = /\/screens\/(\w+)\/picture$/.exec(url.pathname)?.[1];
    return screen && [screen, url.searchParams.get('output')].filter(Boolean).join('/');
  };

  /** Looks on for a minute: none of these pictures, each with its place on the page, is ever older than ten seconds. */
  const staysFresh = (path, watched) =>
    fresh(async (page, mock) => {
      // The time of the page and that of the house go on together, step by step.
      const begun = Date.now();
      let passed = 0;
      mock.clock = () => begun + passed;
      const names = Object.keys(watched);
      const taken = {};
      const waiting = [];
      let stepping = false;
      for (const name of names) {
        mock.report(name.split('/')[0], { online: true });
        taken[name] = [begun];
        // Which picture it is tells its width; the box sends it just before the house gives up.
        const paint = () => png(100 + taken[name].push(mock.clock()) - 1, 60, () => [80, 120, 160]);
        mock.pictures[name] = { at: begun, paint };
      }
      mock.shutter = (name) =>
        new Promise((resolve) => {
          if (stepping) waiting.push({ name, at: passed + 3_900, resolve: () => resolve(true) });
          else resolve(true);
        });
      /** The boxes send what is due; says which pictures these are. */
      const answer = () => {
        const due = waiting.filter(({ at }) => at <= passed);
        for (const one of due) {
          waiting.splice(waiting.indexOf(one), 1);
          one.resolve();
        }
        return due.map(({ name }) => name).filter((name) => names.includes(name));
      };
      await page.addInitScript(() => {
        const { fetch } = window;
        window.pictures = 0;
        window.fetch = (address, ...more) => {
          if (String(address).includes('/picture')) window.pictures += 1;
          return fetch(address, ...more);
        };
      });
      await page.clock.install({ time: begun });
      await signIn(page, mock, path);
      const shown = (name) =>
        page.evaluate((place) => document.querySelector(`${place} img`)?.naturalWidth - 100, watched[name]);
      const asked = (name) =>
        mock.requests.filter((request) => (name ? pictureOf(request.path) === name : pictureOf(request.path))).length;
      const newest = async (name) => taken[name].length > 1 && (await shown(name)) === taken[name].length - 1;
      /** What the page asks for is on its way to the house; what the house has answered is shown. */
      const settled = async () => {
        await until(async () => (await page.evaluate(() => window.pictures)) === asked(), 'the house is asked');
        const known = Object.fromEntries(names.map((name) => [name, taken[name].length]));
        for (const name of answer())
          await until(async () => taken[name].length > known[name] && newest(name), `the newest picture of ${name}`);
      };
      for (const name of names) await until(() => newest(name), `the first picture of ${name}`);
      stepping = true;
      passed = 600_000;
      await page.clock.pauseAt(begun + passed);
      const step = async () => {
        passed += 250;
        await page.clock.runFor(250);
        await settled();
      };
      // While the time leapt, nothing came.
      const old = (name) => taken[name].at(-1) < begun + 600_000;
      while (names.some(old)) await step();
      const first = names.map(asked);
      for (const end = passed + 60_000; passed < end; ) {
        await step();
        for (const name of names) {
          const age = mock.clock() - taken[name][await shown(name)];
          assert.ok(age <= 10_000, `a picture of ${name} of ${age} ms`);
        }
      }
      names.forEach((name, index) => {
        const often = asked(name) - first[index];
        assert.ok(often >= 6 && often <= 20, `${name} ${often} times in a minute`);
      });
      // Nobody looks: nobody asks.
      await looked(page, false);
      waiting.splice(0).forEach(({ resolve }) => resolve());
      await page.clock.runFor(1_000);
      const before_ = asked();
      await page.clock.runFor(30_000);
      assert.equal(asked(), before_);
      await looked(page, true);
      await until(() => names.every((name, index) => asked(name) > first[index]), 'all are looked at again');
      await until(() => asked() > before_, 'it is looked at again');
    });

  test('a connected screen shows no picture that is older than ten seconds, however slow its box is', () =>
    staysFresh('/houses/h1', { s1: '[data-screen=s1] .picture', s2: '[data-screen=s2] .picture' }));

  test('nor does any output of a box that has several', () =>
    staysFresh('/houses/h1/screens/s3', { s3: 'figure:first-child', 's3/side': 'figure:last-child' }));

  for (const shape of ['light', 'phone']) {
    test(`each output of a box has a picture of its own: ${shape}`, () =>
      fresh(async (page, mock) => {
        mock.report('s3', { online: true });
        mock.pictures.s3.paint = () => mock.files.get('fern.png').bytes;
        mock.pictures['s3/side'].paint = () => mock.files.get('field.png').bytes;
        await signIn(page, mock);
        const card = page.locator('[data-screen=s3]');
        // Pictures are fetched as they come into sight.
        await card.scrollIntoViewIfNeeded();
        await card.getByRole('img', { name: 'Live picture of Upstairs cabinet, main: Fern study' }).waitFor();
        await card.getByText('2 outputs').waitFor();
        assert.equal(await page.locator('[data-screen=s1]').getByText('output').isVisible(), false);
        await accessible(page, 'a list with a box of two outputs');
        await tidy(page, 'a list with a box of two outputs');
        await shot(page, `${shape}-list-two-outputs`);
        await card.getByRole('link', { name: 'Upstairs cabinet' }).click();
        const pictures = page.getByRole('region', { name: 'Live pictures' });
        await pictures.getByRole('img', { name: 'Live picture of Upstairs cabinet, main: Fern study' }).waitFor();
        const side = pictures.getByRole('img', { name: 'Live picture of Upstairs cabinet, side: Untitled' });
        await side.waitFor();
        assert.deepEqual(await pictures.locator('figcaption').allTextContents(), ['main', 'side']);
        const width = (img) => img.evaluate(({ naturalWidth }) => naturalWidth);
        assert.equal(await width(side), 360, 'the picture of the side');
        assert.equal(await width(pictures.getByRole('img').first()), 480, 'the picture of the first');
        await accessible(page, 'a screen of two outputs');
        await tidy(page, 'a screen of two outputs');
        await shot(page, `${shape}-screen-two-outputs-live`);
        mock.change({ screens: { s3: { outputs: ['main', 'side', 'door'] } } });
        await pictures.locator('figure:nth-child(3)').getByText('No picture yet').waitFor();
        assert.deepEqual(await pictures.locator('figcaption').allTextContents(), ['main', 'side', 'door']);
        await shot(page, `${shape}-screen-three-outputs`);
        mock.change({ screens: { s3: { outputs: ['main'] } } });
        await page.getByRole('region', { name: 'Live picture', exact: true }).waitFor();
        assert.equal(await page.locator('figure').count(), 1);
        assert.equal(await page.locator('figcaption').isVisible(), false);
        await page.getByRole('img', { name: 'Live picture of Upstairs cabinet: Fern study' }).waitFor();
      }, shape));
  }

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
