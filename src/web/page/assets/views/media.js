// The media library: every item of the house, with uploads, preview, names and lengths.

import { confirmDialog, dialog, nameDialog } from '../dialog.js';
import { fill, freshId, h, keyed, text } from '../dom.js';
import { file, playlistsWith, sorted } from '../environment.js';
import { saving } from '../fields.js';
import { icon } from '../icons.js';
import { thumbnail } from '../picture.js';
import { dropZone, uploadButton, uploadList } from '../uploading.js';
import { lasting, size } from '../words.js';

function preview({ live, mayEdit }, id) {
  const item = live.document.items?.[id];
  const source = file(item);
  const users = playlistsWith(live.document, id).map(([, { name }]) => name);
  const inUse = users.length ? `In ${users.join(', ')}` : 'In no playlist';
  return dialog(
    item.title || id,
    (close) => {
      const picture =
        item.kind === 'video'
          ? h('video', {
              src: source?.src,
              controls: true,
              playsinline: true,
              preload: 'metadata',
              'aria-label': `Preview of ${item.title}`,
            })
          : h('img', { src: source?.src, alt: item.title || id });
      const field = freshId('seconds');
      const seconds = h('input', {
        type: 'number',
        id: field,
        min: '0.5',
        step: '0.5',
        max: '86400',
        required: true,
        inputmode: 'decimal',
        value: String((item.duration_ms ?? 10_000) / 1000),
        disabled: !mayEdit,
        onchange: () =>
          seconds.reportValidity() &&
          saving(
            () => live.save('items', id, { duration_ms: Math.round(Number(seconds.value) * 1000) }),
            'Length saved',
          ),
      });
      const rename = async () => {
        const done = await nameDialog('Rename the item', 'Title', item.title, 'Rename', (title) =>
          live.save('items', id, { title }),
        );
        if (done) close();
      };
      const remove = async () => {
        const use = users.length ? `It is taken out of ${users.join(', ')}, too.` : 'It is in no playlist.';
        if (
          await confirmDialog(
            `Remove ${item.title}?`,
            `The file is deleted from the house. ${use}`,
            'Remove the item',
            () => removeItem(live, id),
          )
        )
          close();
      };
      return h(
        'div',
        { class: 'preview' },
        h('div', { class: 'preview-picture' }, picture),
        h(
          'p',
          { class: 'hint' },
          [
            item.kind === 'video' ? 'Video' : 'Image',
            item.kind === 'video' && item.duration_ms !== undefined && lasting(item.duration_ms),
            source && size(source.size),
            inUse,
          ]
            .filter(Boolean)
            .join(' · '),
        ),
        item.kind === 'image' &&
          h('div', { class: 'field inline' }, h('label', { for: field }, 'Shown for, in seconds'), seconds),
        mayEdit &&
          h(
            'div',
            { class: 'actions' },
            h('button', { type: 'button', class: 'button', onclick: rename }, icon('edit'), 'Rename'),
            h('button', { type: 'button', class: 'button danger-quiet', onclick: remove }, icon('remove'), 'Remove'),
          ),
      );
    },
    { wide: true },
  );
}

/** The playlists let go of the item first, so that none points at nothing. */
async function removeItem(live, id) {
  for (const [key, { montages }] of playlistsWith(live.document, id)) {
    const without = montages.map((montage) => ({
      ...montage,
      tracks: montage.tracks.map((track) => ({ ...track, items: track.items.filter((item) => item !== id) })),
    }));
    await live.save('playlists', key, { montages: without });
  }
  await live.remove('items', id);
}

function tile(ctx, id) {
  const { live } = ctx;
  const still = h('span', {});
  const name = h('span', { class: 'what' });
  const facts = h('span', { class: 'hint' });
  const element = h(
    'li',
    {},
    h(
      'button',
      { type: 'button', class: 'tile', onclick: () => preview(ctx, id) },
      still,
      h('span', { class: 'words' }, name, facts),
    ),
  );
  let drawn;
  return {
    element,
    update() {
      const item = live.document.items?.[id];
      const source = file(item);
      if (drawn !== source?.src) {
        drawn = source?.src;
        fill(still, thumbnail(source, item.kind), item.kind === 'video' && h('span', { class: 'badge' }, icon('play')));
      }
      text(name, item.title || id);
      text(
        facts,
        [
          item.kind === 'video' ? 'Video' : 'Image',
          item.duration_ms !== undefined && lasting(item.duration_ms),
          source && size(source.size),
        ]
          .filter(Boolean)
          .join(' · '),
      );
    },
  };
}

export function mediaView(ctx) {
  const { live, mayEdit } = ctx;
  const uploads = uploadList(live.id);
  const grid = h('ul', { class: 'tiles' });
  const tiles = keyed(grid, (id) => tile(ctx, id));
  const blank = h(
    'section',
    { class: 'empty' },
    icon('media'),
    h('h2', {}, 'No media yet'),
    h('p', {}, 'Upload videos and images, or drop them anywhere on this page.'),
  );
  const element = h(
    'div',
    { class: 'view drop' },
    h(
      'div',
      { class: 'title-row' },
      h('h1', { tabindex: '-1' }, 'Media'),
      mayEdit && h('div', { class: 'title-actions' }, uploadButton(live.id, undefined, 'button primary')),
    ),
    mayEdit &&
      h(
        'p',
        { class: 'hint' },
        'Videos and images; files may be dropped anywhere here. An upload goes on where it was after a network fault.',
      ),
    uploads.element,
    grid,
    blank,
  );
  if (mayEdit) dropZone(element, live.id);
  return {
    title: 'Media',
    element,
    close: uploads.close,
    update() {
      const items = sorted(live.document.items);
      blank.hidden = items.length > 0;
      tiles.update(items.map(([id]) => [id]));
    },
  };
}
