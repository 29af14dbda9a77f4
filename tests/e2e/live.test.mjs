// What changes while somebody looks: the document, reports, pictures, rights, the connection.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { png } from './art.mjs';
import { accessible, shot, signIn, tidy } from './browser.mjs';
import { fresh, inside, looked, spoken, told, views } from './inside.mjs';
import { until } from './real.mjs';

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

  test('a card tells of faults, counters and when its box was last heard of', () =>
    inside('/houses/h1', async (page) => {
      const card = (id) => page.locator(`[data-screen=${id}]`);
      await card('s2').getByText('the picture could not be decoded (3 times)').waitFor();
      await card('s2').getByText('3 vblanks missed, 2 frames dropped, 14 late').waitFor();
      await card('s3').getByText(/^Last seen/).waitFor();
      assert.equal(await card('s1').getByText(/missed|Last seen/).count(), 0, 'nothing is wrong with it');
      await page.goto(new URL('/houses/h1/screens/s2', page.url()).href);
      await page.getByText('812,345').waitFor();
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

  test('a page that stays open shows new people and tokens without a word of the house', () =>
    fresh(async (page, mock) => {
      await page.clock.install();
      await signIn(page, mock, '/houses/h1/settings');
      await page.getByText('Jon Weir').waitFor();
      await until(() => mock.hello.length === 1, 'the first hello');
      mock.access.members.push({ id: 'u3', role: 'viewer' });
      mock.access.tokens[1].revoked = false;
      await page.clock.runFor(20_000);
      await page.getByText('Mira Sol').waitFor();
      await page.getByRole('button', { name: 'Revoke Old till' }).waitFor();
    }));

  test('the filter of the play log follows the screens', () =>
    inside('/houses/h1/log', async (page, mock) => {
      const filter = page.getByLabel('Screen', { exact: true });
      const chosen = () => filter.evaluate((select) => select.selectedOptions[0].textContent);
      const [id, { name }] = Object.entries(mock.document.screens)[0];
      await filter.selectOption({ label: name });
      mock.change({ screens: { [id]: { name: 'Vestibule', rev: mock.rev + 1 } } });
      await until(async () => (await chosen()) === 'Vestibule', 'the new name');
      mock.change({ screens: { [id]: null } });
      await until(async () => (await chosen()) === 'All screens', 'one that is gone is not chosen');
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
      await page.clock.runFor(16_000);
      await told(page, 'You are a viewer of this house now');
      assert.equal(await page.locator('dialog').count(), 0);
      assert.equal(await page.getByRole('button', { name: 'Rename' }).count(), 0);
      await accessible(page, 'a role that changed');
      mock.setRole('editor');
      await page.clock.runFor(16_000);
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
