// The playlists of a house: what is in them, which one plays now and which by default.

import { confirmDialog, nameDialog } from '../dialog.js';
import { attribute, fill, h, keyed, text } from '../dom.js';
import { file, itemsOf, lengthOf, sorted } from '../environment.js';
import { saving } from '../fields.js';
import { icon } from '../icons.js';
import { thumbnail } from '../picture.js';
import { lasting, plural, scheduleInWords } from '../words.js';

const MOSAIC = 4;

/** Asks for a name and opens the new playlist, with one montage and one track to begin with. */
export async function newPlaylist({ live, base, go }) {
  const montages = [{ id: 'm1', tracks: [{ id: 't1', screen: 'main', items: [] }] }];
  const made = await nameDialog('New playlist', 'Name of the playlist', '', 'Make the playlist', (name) =>
    live.make('playlists', { name, montages }),
  );
  if (made) go(`${base}/playlists/${encodeURIComponent(made.id)}`);
}

export function renamePlaylist(live, id) {
  const { name } = live.document.playlists?.[id];
  return nameDialog('Rename the playlist', 'Name', name, 'Rename', (value) =>
    live.save('playlists', id, { name: value }),
  );
}

/** Asks first; says where it is still chosen. */
export function removePlaylist(live, id) {
  const { house, groups, screens, playlists } = live.document;
  const users = [
    house.playlist === id && 'it plays in this house now',
    house.default_playlist === id && 'it is the default',
    [...Object.values(groups ?? {}), ...Object.values(screens ?? {})].some(({ playlist }) => playlist === id) &&
      'a group or screen has chosen it',
  ].filter(Boolean);
  const use = users.length ? ` Mind: ${users.join(', and ')}.` : '';
  return confirmDialog(
    `Remove ${playlists[id].name}?`,
    `The playlist is gone for good; its items stay in the media library.${use}`,
    'Remove the playlist',
    () => live.remove('playlists', id),
  );
}

/** "Plays now" and "Default" as buttons that stay pressed. */
export function choiceButtons(live, id, mayEdit) {
  const make = (key, words, done) => {
    const element = h(
      'button',
      {
        type: 'button',
        class: 'button small choice',
        disabled: !mayEdit,
        onclick: () => {
          const chosen = live.document.house[key] === id;
          saving(() => live.save('house', live.id, { [key]: chosen ? null : id }), chosen ? undefined : done());
        },
      },
      icon('check'),
      words,
    );
    return { key, words, element };
  };
  const name = () => live.document?.playlists?.[id]?.name ?? '';
  const scheduled = () => Object.values(live.document?.playlists ?? {}).some(({ schedule }) => schedule);
  const both = [
    make('playlist', 'Now playing', () => `${name()} plays ${scheduled() ? 'whenever no schedule says otherwise' : 'now'}`),
    make('default_playlist', 'Default', () => `${name()} is the default now`),
  ];
  return {
    element: h(
      'div',
      { class: 'choices' },
      both.map(({ element }) => element),
    ),
    update() {
      for (const { key, words, element } of both) {
        attribute(element, 'aria-pressed', String(live.document.house[key] === id));
        attribute(element, 'aria-label', `${words}: ${name()}`);
      }
    },
  };
}

function playlistCard({ live, base, mayEdit }, id) {
  const mosaic = h('a', {
    class: 'mosaic',
    href: `${base}/playlists/${encodeURIComponent(id)}`,
    tabindex: '-1',
    'aria-hidden': 'true',
  });
  const link = h('a', { href: `${base}/playlists/${encodeURIComponent(id)}` });
  const facts = h('p', { class: 'hint' });
  const schedule = h('p', { class: 'hint schedule' });
  const choices = choiceButtons(live, id, mayEdit);
  const rename = h(
    'button',
    { type: 'button', class: 'icon-button', onclick: () => renamePlaylist(live, id) },
    icon('edit'),
  );
  const remove = h(
    'button',
    { type: 'button', class: 'icon-button', onclick: () => removePlaylist(live, id) },
    icon('remove'),
  );
  const element = h(
    'article',
    { class: 'card playlist-card' },
    mosaic,
    h('div', { class: 'card-body' }, h('div', { class: 'card-head' }, h('h2', {}, link)), facts, schedule),
    h('div', { class: 'card-foot' }, choices.element, mayEdit && h('div', { class: 'row' }, rename, remove)),
  );
  let drawn;
  return {
    element,
    update() {
      const playlist = live.document.playlists?.[id];
      const ids = itemsOf(playlist);
      const stills = [...new Set(ids)].slice(0, MOSAIC).map((item) => [file(live.document.items?.[item])?.src, item]);
      if (drawn !== JSON.stringify(stills)) {
        drawn = JSON.stringify(stills);
        mosaic.dataset.count = stills.length;
        fill(
          mosaic,
          stills.length
            ? stills.map(([, item]) => thumbnail(file(live.document.items?.[item]), live.document.items?.[item]?.kind))
            : icon('playlists'),
        );
      }
      text(link, playlist.name || id);
      attribute(rename, 'aria-label', `Rename ${playlist.name}`);
      attribute(remove, 'aria-label', `Remove ${playlist.name}`);
      text(
        facts,
        ids.length ? `${plural(ids.length, 'item')}, ${lasting(lengthOf(live.document, playlist))}` : 'Empty',
      );
      schedule.hidden = !playlist.schedule;
      text(schedule, playlist.schedule ? `Scheduled: ${scheduleInWords(playlist.schedule)}` : '');
      choices.update();
    },
  };
}

export function playlistsView(ctx) {
  const { live, mayEdit } = ctx;
  const grid = h('div', { class: 'cards' });
  const cards = keyed(grid, (id) => playlistCard(ctx, id));
  const make = () => newPlaylist(ctx);
  const blank = h(
    'section',
    { class: 'empty' },
    icon('playlists'),
    h('h2', {}, 'No playlist yet'),
    h('p', {}, 'A playlist says which pictures and videos the screens show, and in which order.'),
  );
  const element = h(
    'div',
    { class: 'view' },
    h(
      'div',
      { class: 'title-row' },
      h('h1', { tabindex: '-1' }, 'Playlists'),
      mayEdit &&
        h(
          'div',
          { class: 'title-actions' },
          h('button', { type: 'button', class: 'button primary', onclick: make }, icon('add'), 'New playlist'),
        ),
    ),
    grid,
    blank,
  );
  return {
    title: 'Playlists',
    element,
    update() {
      const lists = sorted(live.document.playlists);
      blank.hidden = lists.length > 0;
      cards.update(lists.map(([id]) => [id]));
    },
  };
}
