// The media library: every item of the house, with uploads and previews.

import { fill, h, keyed, text } from '../dom.js';
import { file, lengthOfItem, sorted } from '../environment.js';
import { icon } from '../icons.js';
import { thumbnail } from '../picture.js';
import { preview } from '../preview.js';
import { dropZone, uploadButton, uploadList } from '../uploading.js';
import { lasting, size } from '../words.js';

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
      { type: 'button', class: 'tile', onclick: () => preview(ctx, [id]) },
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
          lengthOfItem(item) !== undefined && lasting(lengthOfItem(item)),
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
    mayEdit && uploads.element,
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
