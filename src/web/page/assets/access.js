// Who may use the house: its members, and the API tokens of tools.

import { askJson, words } from './api.js';
import { confirmDialog, dialog, formDialog } from './dialog.js';
import { field, fill, freshId, h, keepingFocus } from './dom.js';
import { icon } from './icons.js';
import { say } from './say.js';
import { session } from './session.js';
import { whenStale } from './stale.js';
import { ago, plural } from './words.js';

const roles = {
  owner: 'Owner: may do everything',
  editor: 'Editor: may change what plays',
  viewer: 'Viewer: may look',
};
const roleWord = { owner: 'Owner', editor: 'Editor', viewer: 'Viewer' };

const roleSelect = (value) => {
  const select = h(
    'select',
    {},
    Object.entries(roles).map(([key, said]) => h('option', { value: key }, said)),
  );
  select.value = value;
  return select;
};

/** Shows something that is shown only once, with a button that copies it. */
function once(heading, sentence, secret) {
  return dialog(heading, (close) => {
    const box = h('input', {
      type: 'text',
      value: secret,
      readonly: true,
      class: 'secret',
      'aria-label': heading,
      onfocus: () => box.select(),
    });
    const copy = h(
      'button',
      {
        type: 'button',
        class: 'button primary',
        autofocus: true,
        onclick: async () => {
          box.select();
          try {
            await navigator.clipboard.writeText(secret);
            say('Copied');
          } catch {
            say('Marked: copy it with Ctrl and C');
          }
        },
      },
      icon('copy'),
      'Copy',
    );
    return h(
      'div',
      { class: 'form' },
      h('p', {}, sentence),
      box,
      h(
        'div',
        { class: 'actions' },
        h('button', { type: 'button', class: 'button', onclick: () => close() }, 'Done'),
        copy,
      ),
    );
  });
}

/**
 * A panel with a list that is asked for when it is made, and again when it may be old. `row(entry)` draws one entry;
 * `own(entry)` says whether it belongs into the list, and `left(entries)` what is said of those that do not.
 */
function listPanel({ live, title, hint, path, key, row, own = () => true, left = () => '', none, action }) {
  const id = freshId('panel');
  const list = h('ul', { class: 'entries' }, h('li', { class: 'hint' }, 'One moment.'));
  let drawn;
  const load = async () => {
    try {
      const all = (await askJson('GET', path))[key] ?? [];
      if (drawn === JSON.stringify(all)) return;
      drawn = JSON.stringify(all);
      const entries = all.filter(own);
      const rest = left(all.filter((entry) => !own(entry)));
      keepingFocus(list, () =>
        fill(
          list,
          entries.map((entry) => row(entry, load)),
          entries.length === 0 && h('li', { class: 'hint' }, none),
          rest && h('li', { class: 'hint' }, rest),
        ),
      );
    } catch (error) {
      // A list that is shown stays; that the house is away is told elsewhere.
      if (drawn === undefined) fill(list, h('li', { class: 'problem' }, words(error)));
    }
  };
  load();
  const element = h(
    'section',
    { class: 'panel', 'aria-labelledby': id },
    h(
      'div',
      { class: 'panel-head' },
      h('h2', { id }, title),
      h('button', { type: 'button', class: 'button', onclick: () => action.run(load) }, icon('add'), action.words),
    ),
    h('p', { class: 'hint' }, hint),
    list,
  );
  return { element, close: whenStale(live, load) };
}

export function membersPanel(live) {
  const path = `/houses/${live.id}/members`;
  const invite = async (load) => {
    const email = h('input', { type: 'email', required: true, autofocus: true, autocomplete: 'off' });
    const role = roleSelect('editor');
    const made = await formDialog('Add a person', [field('E-mail address', email), field('Rights', role)], {
      action: 'Add',
      send: () => askJson('POST', path, { json: { email: email.value.trim(), role: role.value } }),
    });
    if (!made) return;
    load();
    const who = email.value.trim();
    if (made.link)
      once(
        'A link for them',
        `Send this link to ${who}. It works once, for a week: with it they make a password, or sign in with the one ` +
          'they have. They belong to the house, and are in this list, from then on.',
        made.link,
      );
    else say(`${who} was in this house already, and has these rights now`);
  };
  const remove = async (member, load) => {
    const who = member.name || member.email;
    const sure = await confirmDialog(`Remove ${who}?`, 'From then on they see nothing of this house.', 'Remove', () =>
      askJson('DELETE', `${path}/${member.id}`),
    );
    if (sure) load();
  };
  return listPanel({
    live,
    title: 'People',
    hint: 'Who may see and steer this house.',
    path,
    key: 'members',
    none: 'Nobody else yet.',
    action: { words: 'Add a person', run: invite },
    row: (member, load) =>
      h(
        'li',
        {},
        h(
          'span',
          { class: 'row-title' },
          h('span', { class: 'what' }, member.name || member.email),
          h('span', { class: 'hint' }, `${roleWord[member.role] ?? member.role} · ${member.email}`),
        ),
        member.id === session.user?.id
          ? h('span', { class: 'hint' }, 'You')
          : h(
              'button',
              {
                type: 'button',
                class: 'icon-button',
                'aria-label': `Remove ${member.name || member.email}`,
                'data-focus': member.id,
                onclick: () => remove(member, load),
              },
              icon('remove'),
            ),
      ),
  });
}

export function tokensPanel(live) {
  const make = async (load) => {
    const name = h('input', {
      type: 'text',
      required: true,
      maxlength: '200',
      autofocus: true,
      autocomplete: 'off',
      placeholder: 'Till system',
    });
    const role = roleSelect('viewer');
    const made = await formDialog('New API token', [field('What it is for', name), field('Rights', role)], {
      action: 'Make the token',
      send: () => askJson('POST', '/tokens', { json: { name: name.value.trim(), role: role.value, house: live.id } }),
    });
    if (!made) return;
    load();
    once('The new token', 'Copy it now: it is shown only this once.', made.secret);
  };
  const revoke = async (token, load) => {
    const sure = await confirmDialog(
      `Revoke ${token.name}?`,
      'Whatever uses this token is shut out at once.',
      'Revoke',
      () => askJson('DELETE', `/tokens/${token.id}`),
    );
    if (sure) load();
  };
  const facts = ({ role, house, created_at: made, last_used: used }) =>
    [
      roleWord[role] ?? role,
      !house && 'for all your houses',
      `made ${ago(made)}`,
      used ? `last used ${ago(used)}` : 'never used',
    ]
      .filter(Boolean)
      .join(' · ');
  const here = ({ house }) => !house || house === live.id;
  return listPanel({
    live,
    title: 'API tokens',
    hint: 'For tools that speak with the house in your name.',
    path: '/tokens',
    key: 'tokens',
    own: (token) => here(token) && !token.revoked,
    left: (tokens) => {
      const count = tokens.filter(here).length;
      return count ? `${plural(count, 'revoked token')} not shown.` : '';
    },
    none: 'No token yet.',
    action: { words: 'New token', run: make },
    row: (token, load) =>
      h(
        'li',
        {},
        h(
          'span',
          { class: 'row-title' },
          h('span', { class: 'what' }, token.name),
          h('span', { class: 'hint' }, facts(token)),
        ),
        h(
          'button',
          {
            type: 'button',
            class: 'button small danger-quiet',
            'aria-label': `Revoke ${token.name}`,
            'data-focus': token.id,
            onclick: () => revoke(token, load),
          },
          'Revoke',
        ),
      ),
  });
}
