// Everything together: a real browser, the real house server and a real box on a virtual display. An operator sets up
// the house, lets the box in by its code, uploads a film, makes a playlist of it, and flips autostart.
//
// The tests look at what happens, never at how long it takes; FLIPS=100 makes the figures, which tests/e2e/run
// prints when all is done.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';

import { accessible, launch, open, shot } from './browser.mjs';
import { box, figures, folder, house, keep, line, until, wire } from './real.mjs';

const flips = Number(process.env.FLIPS ?? 5);

describe('an operator and a box', { timeout: 1_800_000 }, () => {
  const place = folder();
  const data = join(place.path, 'house');
  const state = join(place.path, 'box');
  let browser;
  let page;
  let server;
  let network;
  let screen;

  before(async () => {
    const film = join(place.path, 'Blue waves.mp4');
    execFileSync('ffmpeg', [
      ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=30:duration=4'],
      ...['-c:v', 'libx264', '-bf', '0', '-g', '30', '-pix_fmt', 'yuv420p', '-movflags', '+faststart', film],
    ]);
    server = await house(data);
    network = await wire(server.url);
    browser = await launch();
    page = await open(browser);
  });

  after(async () => {
    await browser?.close();
    await screen?.stop();
    network?.close();
    await server?.stop();
    place.remove();
  });

  afterEach(() => assert.deepEqual(page.complaints, []));

  const toggle = () => page.getByRole('switch', { name: /autostart/i });
  const settings = (value) => (event) =>
    event.event === 'settings' && event.settings.autostart_playlist === value;

  test('the house is set up by the link that the server prints', async () => {
    await page.goto(server.setup);
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('E-mail address').fill('ada@example.org');
    await page.getByLabel('Password').fill('a long password');
    await page.getByRole('button', { name: 'Begin' }).click();
    await page.getByRole('heading', { level: 1 }).filter({ hasText: 'My house' }).waitFor();
    await accessible(page, 'a fresh house');
    await shot(page, 'real-fresh');
  });

  test('the box shows a code, and is let in after the numbers were compared', async () => {
    screen = await box(state, ['--house', network.url]);
    const shown = await until(async () => {
      const { house: standing } = await screen.status();
      return standing?.code && standing.check && standing;
    }, 'the box shows its code');
    const id = page.url().split('/houses/')[1].split('/')[0];
    await page.goto(`${server.url}/houses/${id}/pair`);
    await page.locator('.code').first().waitFor();
    await page.keyboard.press('Tab');
    await page.locator('input').first().fill(shown.code.toLowerCase());
    await page.keyboard.press('Enter');
    await page.locator('.check-number').waitFor();
    const number = await page.locator('.check-number').textContent();
    assert.equal(number.replace(/\D/g, ''), shown.check.replace(/\D/g, ''));
    await shot(page, 'real-pair');
    await page.getByLabel('Name of the screen').fill('Foyer');
    await page.getByRole('button', { name: 'The number is the same: add it' }).click();
    await until(async () => (await screen.status()).house?.online, 'the box is connected');
  });

  test('a film is uploaded, and becomes what the house plays', async () => {
    const id = page.url().split('/houses/')[1].split('/')[0];
    await page.goto(`${server.url}/houses/${id}/media`);
    await page.locator('input[type=file]').setInputFiles(join(place.path, 'Blue waves.mp4'));
    await page.getByRole('button', { name: /^Blue waves/ }).waitFor();
    await shot(page, 'real-media');
    const going = page.getByRole('navigation');
    await going.getByText('Playlists').click();
    await page.getByRole('button', { name: 'New playlist' }).click();
    await page.getByLabel('Name of the playlist').fill('Summer');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Add items to montage 1, main' }).click();
    await page.getByRole('dialog').getByText('Blue waves', { exact: true }).click();
    await page.getByRole('button', { name: 'Add 1 item' }).click();
    await page.locator('.item-row').filter({ hasText: 'Blue waves' }).waitFor();
    await going.getByText('Screens').click();
    await page.getByLabel('Now playing').selectOption({ label: 'Summer' });
    await until(async () => (await screen.status()).house.media.complete === 1, 'the film is on the box');
    await toggle().waitFor();
  });

  test('autostart starts the box, and its first frame is shown', async () => {
    const on = [];
    const off = [];
    for (let flip = 0; flip < flips; flip += 1) {
      const began = screen.next((event) => event.event === 'item_began');
      await toggle().evaluate((button) => button.focus());
      let clicked = performance.now();
      await toggle().click();
      on.push((await began) - clicked);
      await until(async () => (await toggle().getAttribute('aria-checked')) === 'true', 'the switch is on');
      const turned = screen.next(settings(false));
      clicked = performance.now();
      await toggle().click();
      await turned;
      const { settings: now } = await screen.status();
      off.push(performance.now() - clicked);
      assert.equal(now.autostart_playlist, false);
      assert.equal((await screen.status()).state, 'playing', 'turned off, it goes on');
      const stopped = screen.next((event) => event.event === 'state' && event.state === 'idle');
      await screen.ctl('stop');
      await stopped;
    }
    keep([
      line('from the click to the first frame', figures(on)),
      line('from the click until status says off', figures(off)),
    ]);
  });

  test('the page shows the real picture of the screen', async () => {
    const began = screen.next((event) => event.event === 'item_began');
    await toggle().click();
    await began;
    await page.locator('.card img:not([hidden])').first().waitFor();
    await page.getByText('Blue waves').first().waitFor();
    await accessible(page, 'a house that plays');
    await shot(page, 'real-playing');
  });

  test('without a network the box starts by itself from what it knows', async () => {
    await screen.stop();
    network.cut();
    screen = await box(state, ['--house', network.url]);
    await until(async () => (await screen.status()).state === 'playing', 'the box plays without its house');
    assert.equal((await screen.status()).house.online, false);
  });

  test('what is toggled meanwhile is learnt when the network is back, and holds the next time', async () => {
    await toggle().click();
    await until(async () => (await toggle().getAttribute('aria-checked')) === 'false', 'the switch is off');
    const { state: before, settings: known } = await screen.status();
    assert.deepEqual([before, known.autostart_playlist], ['playing', true], 'the box cannot know it yet');
    network.mend();
    await until(async () => (await screen.status()).settings.autostart_playlist === false, 'it has learnt it');
    assert.equal((await screen.status()).state, 'playing', 'turned off, it goes on');
    await screen.stop();
    network.cut();
    screen = await box(state, ['--house', network.url]);
    const { state: now, settings: kept } = await screen.status();
    assert.deepEqual([now, kept.autostart_playlist], ['idle', false]);
  });

  test('a server that is started anew is found again, by page and box', async () => {
    network.mend();
    await until(async () => (await screen.status()).house.online, 'the box is connected');
    const [, listen] = server.url.split('://');
    await server.stop();
    await until(async () => !(await screen.status()).house.online, 'the box has noticed');
    server = await house(data, listen);
    await until(async () => (await screen.status()).house.online, 'the box finds its house again');
    const learnt = screen.next(settings(true));
    await until(async () => (await toggle().isEnabled()) && (await toggle().getAttribute('aria-checked')) === 'false', 'the page is back');
    await toggle().click();
    await learnt;
  });
});
