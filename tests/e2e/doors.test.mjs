// Coming in: signing in, the one-time link, invitations.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { accessible, shot } from './browser.mjs';
import { fresh, inside, spoken, told } from './inside.mjs';

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
