// Who may use the house: its members, and the API tokens of tools.

import { askJson, words } from './api.js';
import { confirmDialog, dialog, formDialog } from './dialog.js';
import { fill, freshId, h } from './dom.js';
import { icon } from './icons.js';
import { say } from './say.js';
import { session } from './session.js';
import { ago } from './words.js';

const roles = {
  owner: 'Owner: may do everything',
  editor: 'Editor: may change what plays',
  viewer: 'Viewer: may look',
};
const roleWord = { owner: 'Owner', editor: 'Editor', viewer: 'Viewer' };

function field(label, input) {
  const id = freshId('field');
  input.id = id;
  return h('div', { class: 'field' }, h('label', { for: id }, label), input);
}

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

/** A panel with a list that is asked for when it is made. `row(entry)` draws one. */
function listPanel({ title, hint, path, key, row, none, action }) {
  const id = freshId('panel');
  const list = h('ul', { class: 'entries' }, h('li', { class: 'hint' }, 'One moment.'));
  const load = async () => {
    try {
      const entries = (await askJson('GET', path))[key] ?? [];
      fill(
        list,
        entries.map((entry) => row(entry, load)),
        entries.length === 0 && h('li', { class: 'hint' }, none),
      );
    } catch (error) {
      fill(list, h('li', { class: 'problem' }, words(error)));
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
  return { element };
}

export function membersPanel(houseId) {
  const path = `/houses/${houseId}/members`;
  const invite = async (load) => {
    const email = h('input', { type: 'email', required: true, autofocus: true, autocomplete: 'off' });
    const name = h('input', { type: 'text', maxlength: '200', autocomplete: 'off' });
    const role = roleSelect('editor');
    const made = await formDialog(
      'Add a person',
      [field('E-mail address', email), field('Name', name), field('Rights', role)],
      {
        action: 'Add',
        send: () =>
          askJson('POST', path, { json: { email: email.value.trim(), name: name.value.trim(), role: role.value } }),
      },
    );
    if (!made) return;
    load();
    if (made.setup_link)
      once(
        'A link for them',
        'Give them this link. It works once; with it they choose their password.',
        made.setup_link,
      );
    else say('The person was added');
  };
  const remove = async (member, load) => {
    const who = member.name || member.email;
    const sure = await confirmDialog(`Remove ${who}?`, 'From then on they see nothing of this house.', 'Remove', () =>
      askJson('DELETE', `${path}/${member.id}`),
    );
    if (sure) load();
  };
  return listPanel({
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
                onclick: () => remove(member, load),
              },
              icon('remove'),
            ),
      ),
  });
}

export function tokensPanel(houseId) {
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
      send: () => askJson('POST', '/tokens', { json: { name: name.value.trim(), role: role.value, house: houseId } }),
    });
    if (!made) return;
    load();
    once('The new token', 'Copy it now: it is shown only this once.', made.secret ?? made.token);
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
  const facts = ({ role, created_at: made, last_used_at: used }) =>
    [roleWord[role] ?? role, made && `made ${ago(made)}`, used && `last used ${ago(used)}`].filter(Boolean).join(' · ');
  return listPanel({
    title: 'API tokens',
    hint: 'For tools that speak with the house in your name.',
    path: '/tokens',
    key: 'tokens',
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
            onclick: () => revoke(token, load),
          },
          'Revoke',
        ),
      ),
  });
}
