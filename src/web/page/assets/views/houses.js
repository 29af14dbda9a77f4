// The list of houses that one may see.

import { askJson } from '../api.js';
import { nameDialog } from '../dialog.js';
import { fill, h, keepingFocus } from '../dom.js';
import { icon } from '../icons.js';
import { session } from '../session.js';

const roles = { owner: 'You own it', editor: 'You may change it', viewer: 'You may look at it' };

export function housesView({ go, refresh, query }) {
  const list = h('ul', { class: 'house-list' });
  const pairing = query.has('pair');
  const make = async () => {
    const made = await nameDialog('New house', 'Name of the house', '', 'Make the house', (name) =>
      askJson('POST', '/houses', { json: { name } }),
    );
    if (!made) return;
    await refresh().catch(() => undefined);
    go(`/houses/${made.id}`);
  };
  const blank = h(
    'section',
    { class: 'empty' },
    icon('screens'),
    h('h2', {}, 'No house yet'),
    h('p', {}, 'Make one, or ask an owner for a link to theirs.'),
  );
  const element = h(
    'div',
    { class: 'view' },
    h(
      'div',
      { class: 'title-row' },
      h('h1', { tabindex: '-1' }, pairing ? 'To which house does the screen belong?' : 'Houses'),
      h(
        'div',
        { class: 'title-actions' },
        h('button', { type: 'button', class: 'button', onclick: make }, icon('add'), 'New house'),
      ),
    ),
    list,
    blank,
  );
  const code = query.get('pair') ? `?code=${encodeURIComponent(query.get('pair'))}` : '';
  const row = (house) =>
    h(
      'li',
      {},
      h(
        'a',
        { href: `/houses/${house.id}${pairing ? `/pair${code}` : ''}`, 'data-focus': house.id },
        h('span', { class: 'disc' }, icon('screens')),
        h(
          'span',
          { class: 'words' },
          h('strong', {}, house.name),
          h('span', { class: 'hint' }, roles[house.role] ?? ''),
        ),
        icon('back'),
      ),
    );
  let drawn;
  return {
    title: 'Houses',
    element,
    update() {
      if (drawn === JSON.stringify(session.houses)) return;
      drawn = JSON.stringify(session.houses);
      keepingFocus(list, () => fill(list, session.houses.map(row)));
      blank.hidden = session.houses.length > 0;
    },
  };
}
