// The house: its name, the autostart, what plays everywhere, and a card for each screen, by group.

import { autostartToggle } from '../autostart.js';
import { screenCard } from '../card.js';
import { commandBar } from '../commands.js';
import { nameDialog } from '../dialog.js';
import { attribute, fill, freshId, h, keyed, text } from '../dom.js';
import { screensOf, sorted, summary } from '../environment.js';
import { playlistSelect, saving } from '../fields.js';
import { icon } from '../icons.js';

function hero(ctx) {
  const { live, mayEdit } = ctx;
  const heading = h('h1', { tabindex: '-1' });
  const line = h('p', { class: 'summary' });
  const toggle = autostartToggle(live.id, mayEdit);
  const id = freshId('playlist');
  const select = playlistSelect({
    id,
    disabled: !mayEdit,
    none: 'Nothing chosen',
    changed: (value) =>
      saving(() => live.save('house', live.id, { playlist: value }), 'Now playing: saved').then(() => update()),
  });
  const bar = commandBar({ live, kind: 'house', id: live.id, mayEdit, of: () => 'all screens' });
  const element = h(
    'header',
    { class: 'hero' },
    h('div', { class: 'hero-name' }, heading, line),
    toggle.element,
    h(
      'div',
      { class: 'hero-play' },
      h('div', { class: 'field inline' }, h('label', { for: id }, 'Now playing'), select.element),
      bar.element,
    ),
  );
  function update() {
    text(heading, ctx.name());
    toggle.update();
    bar.update();
    if (!live.document) return;
    text(line, summary(live.document, live.reports));
    bar.element.hidden = Object.keys(live.document.screens ?? {}).length === 0;
    select.set(live.document.house.playlist, live.document);
  }
  return { element, update, close: toggle.close };
}

/** One group with its screens; the key "" holds those without a group. */
function section(ctx, key) {
  const { live, base, mayEdit } = ctx;
  const id = freshId('section');
  const heading = h('h2', { id });
  const bar = key
    ? commandBar({ live, kind: 'groups', id: key, mayEdit, of: () => live.document?.groups?.[key]?.name ?? '' })
    : undefined;
  const grid = h('div', { class: 'cards' });
  const empty = h('p', { class: 'hint' }, 'No screen in this group yet. Open the group to put some in.');
  const cards = keyed(grid, (screen) => screenCard(ctx, screen));
  const link = h('a', {});
  const head = h('div', { class: 'section-head' }, heading, bar?.element);
  const element = h('section', { class: 'group', 'aria-labelledby': id }, head, grid, empty);
  return {
    element,
    update() {
      const group = live.document.groups?.[key];
      const screens = screensOf(live.document, key || undefined);
      if (group) {
        attribute(link, 'href', `${base}/groups/${encodeURIComponent(key)}`);
        text(link, group.name || key);
        if (!link.isConnected) fill(heading, link, icon('back'));
      } else {
        text(heading, sorted(live.document.groups).length ? 'In no group' : 'Screens');
      }
      bar?.update();
      cards.update(screens.map(([screen]) => [screen]));
      empty.hidden = screens.length > 0;
    },
    close: cards.close,
  };
}

function firstScreen({ base, mayEdit }) {
  return h(
    'section',
    { class: 'empty' },
    icon('screens'),
    h('h2', {}, 'Your first screen'),
    h(
      'ol',
      {},
      h('li', {}, 'Plug a box into a television and turn both on.'),
      h('li', {}, 'The screen shows a code of eight letters.'),
      h('li', {}, 'Type the code here, and compare the number.'),
    ),
    mayEdit && h('a', { class: 'button primary large', href: `${base}/pair` }, icon('add'), 'Add a screen'),
  );
}

export function screensView(ctx) {
  const { live, base, mayEdit, go } = ctx;
  const top = hero(ctx);
  const place = h('div', { class: 'groups' });
  const groups = keyed(place, (key) => section(ctx, key));
  const blank = firstScreen(ctx);
  const newGroup = async () => {
    const made = await nameDialog('New group', 'Name of the group', '', 'Make the group', (name) =>
      live.make('groups', { name }),
    );
    if (made) go(`${base}/groups/${encodeURIComponent(made.id)}`);
  };
  const actions = h(
    'div',
    { class: 'page-actions' },
    h('a', { class: 'button', href: `${base}/pair` }, icon('add'), 'Add a screen'),
    h('button', { type: 'button', class: 'button', onclick: newGroup }, icon('group'), 'New group'),
  );
  const element = h('div', { class: 'view view-house' }, top.element, place, blank, mayEdit && actions);
  // Ages in words ("3 minutes ago") go on while nothing is reported.
  const clock = setInterval(() => update(), 20_000);

  function update() {
    top.update();
    blank.hidden = true;
    actions.hidden = true;
    if (!live.document) return;
    const { document } = live;
    const some = Object.keys(document.screens ?? {}).length > 0;
    blank.hidden = some;
    actions.hidden = !some;
    const loose = screensOf(document, undefined).length > 0;
    groups.update([...sorted(document.groups).map(([key]) => [key]), ...(loose ? [['']] : [])]);
  }
  return {
    title: ctx.name,
    element,
    update,
    close() {
      clearInterval(clock);
      top.close();
      groups.close();
    },
  };
}
