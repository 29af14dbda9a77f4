// What stands around every view: the brand, the switch between houses, the navigation, the account.

import { fill, h } from './dom.js';
import { icon } from './icons.js';
import { session, signOut } from './session.js';

const places = [
  ['screens', 'Screens', ''],
  ['playlists', 'Playlists', '/playlists'],
  ['media', 'Media', '/media'],
  ['log', 'Play log', '/log'],
  ['settings', 'Settings', '/settings'],
];

function popover(id, ...children) {
  const element = h('div', { id, class: `popover ${id}`, popover: 'auto' }, children);
  element.addEventListener('click', (event) => event.target.closest('a, button') && element.hidePopover());
  return element;
}

function initials(name) {
  const words = (name ?? '').trim().split(/\s+/).filter(Boolean);
  return words.length ? (words[0][0] + (words.length > 1 ? words.at(-1)[0] : '')).toUpperCase() : '?';
}

/** Draws the shell for a house (or none) with the place one is at; `name` is the house's name. */
export function drawShell(side, { houseId, name, place }) {
  const { user, houses } = session;
  const base = houseId && `/houses/${houseId}`;
  fill(
    side,
    h('a', { class: 'brand', href: '/houses' }, icon('screens'), h('span', {}, 'musebox')),
    houseId &&
      h(
        'button',
        {
          type: 'button',
          class: 'switcher',
          popovertarget: 'houses-menu',
          'aria-label': `House: ${name}. Switch to another`,
        },
        h('span', {}, name),
        icon('chevron'),
      ),
    houseId &&
      popover(
        'houses-menu',
        h(
          'ul',
          {},
          houses.map((house) =>
            h(
              'li',
              {},
              h(
                'a',
                {
                  href: `/houses/${house.id}`,
                  'aria-current': house.id === houseId ? 'true' : undefined,
                },
                h('span', {}, house.id === houseId ? name : house.name),
                house.id === houseId && icon('check'),
              ),
            ),
          ),
        ),
        h('a', { href: '/houses' }, 'All houses'),
      ),
    houseId &&
      h(
        'nav',
        { class: 'places', 'aria-label': 'House' },
        h(
          'ul',
          {},
          places.map(([key, words, path]) =>
            h(
              'li',
              {},
              h(
                'a',
                { href: base + path, 'aria-current': place === key ? 'page' : undefined },
                icon(key),
                h('span', {}, words),
              ),
            ),
          ),
        ),
      ),
    user &&
      h(
        'button',
        { type: 'button', class: 'account', popovertarget: 'account-menu' },
        h('span', { class: 'initials', 'aria-hidden': 'true' }, initials(user.name || user.email)),
        h('span', { class: 'sr' }, 'Account of'),
        h('span', { class: 'account-name' }, user.name || user.email),
      ),
    user &&
      popover(
        'account-menu',
        h('p', {}, h('strong', {}, user.name), h('span', { class: 'hint' }, user.email)),
        h('button', { type: 'button', onclick: signOut }, icon('out'), 'Sign out'),
      ),
  );
}
