// Choosing items of the media library for a track; new files may be uploaded on the way.

import { dialog } from './dialog.js';
import { fill, freshId, h, text } from './dom.js';
import { file, lengthOfItem, sorted } from './environment.js';
import { icon } from './icons.js';
import { thumbnail } from './picture.js';
import { uploadButton, uploadList } from './uploading.js';
import { lasting, plural } from './words.js';

/** Resolves with the ids of the chosen items, in the order in which they were chosen. */
export function pickItems({ live }) {
  const chosen = [];
  const grid = h('ul', { class: 'picks' });
  const uploads = uploadList(live.id);
  let unsubscribe = () => undefined;
  return dialog(
    'Add items',
    (close) => {
      const add = h('button', { type: 'button', class: 'button primary', onclick: () => close(chosen) });
      const count = () => {
        text(add, chosen.length ? `Add ${plural(chosen.length, 'item')}` : 'Add');
        add.disabled = chosen.length === 0;
      };
      const choose = (id, yes) => {
        const at = chosen.indexOf(id);
        if (yes && at < 0) chosen.push(id);
        if (!yes && at >= 0) chosen.splice(at, 1);
        count();
      };
      let drawn;
      const draw = () => {
        const items = sorted(live.document?.items);
        const now = JSON.stringify(items);
        if (now === drawn) return;
        drawn = now;
        fill(
          grid,
          items.map(([id, item]) => {
            const field = freshId('pick');
            const box = h('input', {
              type: 'checkbox',
              id: field,
              checked: chosen.includes(id),
              onchange: () => choose(id, box.checked),
            });
            return h(
              'li',
              {},
              box,
              h(
                'label',
                { for: field },
                thumbnail(file(item), item.kind),
                h('span', { class: 'what' }, item.title || id),
                h('span', { class: 'hint' }, lengthOfItem(item) === undefined ? '' : lasting(lengthOfItem(item))),
              ),
            );
          }),
        );
        if (!items.length)
          fill(grid, h('li', { class: 'nothing' }, icon('media'), h('span', {}, 'No media yet. Upload some.')));
      };
      unsubscribe = live.subscribe(draw);
      draw();
      count();
      const upload = uploadButton(live.id, (made) => {
        made.forEach(({ id }) => choose(id, true));
        drawn = undefined;
        draw();
      });
      return h(
        'div',
        { class: 'picker' },
        uploads.element,
        grid,
        h(
          'div',
          { class: 'actions' },
          upload,
          h('button', { type: 'button', class: 'button', onclick: () => close() }, 'Cancel'),
          add,
        ),
      );
    },
    {
      wide: true,
      closed: () => {
        unsubscribe();
        uploads.close();
      },
    },
  );
}
