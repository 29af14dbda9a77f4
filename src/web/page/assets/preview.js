// The preview of an item, with its name and length to change; among several items one goes from one to the next.

import { confirmDialog, dialog, nameDialog } from './dialog.js';
import { fill, freshId, h, text } from './dom.js';
import { file, lengthOfItem, playlistsWith } from './environment.js';
import { saving } from './fields.js';
import { icon } from './icons.js';
import { lasting, size } from './words.js';

/** The playlists let go of the item first, so that none points at nothing. */
async function removeItem(live, id) {
  for (const [key] of playlistsWith(live.document, id)) {
    // As it is now: while the ones before it were changed, others may have changed this one.
    const { montages } = live.document.playlists[key] ?? {};
    if (!montages) continue;
    const without = montages.map((montage) => ({
      ...montage,
      tracks: montage.tracks.map((track) => ({ ...track, items: track.items.filter((item) => item !== id) })),
    }));
    await live.save('playlists', key, { montages: without });
  }
  await live.remove('items', id);
}

/** One item: its picture, what it is, and what may be done with it. */
function itemPart({ live, mayEdit }, id, close) {
  const item = live.document.items[id];
  const called = item.title || id;
  const source = file(item);
  const users = playlistsWith(live.document, id).map(([, { name }]) => name);
  const picture =
    item.kind === 'video'
      ? h('video', {
          src: source?.src,
          controls: true,
          playsinline: true,
          preload: 'metadata',
          'aria-label': `Preview of ${called}`,
        })
      : h('img', { src: source?.src, alt: called });
  const field = freshId('seconds');
  const seconds = h('input', {
    type: 'number',
    id: field,
    min: '0.5',
    step: '0.5',
    max: '86400',
    required: true,
    inputmode: 'decimal',
    value: String((lengthOfItem(item) ?? 0) / 1000),
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
    const sure = await confirmDialog(
      `Remove ${called}?`,
      `The file is deleted from the house. ${use}`,
      'Remove the item',
      () => removeItem(live, id),
    );
    if (sure) close();
  };
  const facts = [
    item.kind === 'video' ? 'Video' : 'Image',
    item.kind === 'video' && item.duration_ms !== undefined && lasting(item.duration_ms),
    source && size(source.size),
    users.length ? `In ${users.join(', ')}` : 'In no playlist',
  ];
  return [
    h('div', { class: 'preview-picture' }, picture),
    h('p', { class: 'hint' }, facts.filter(Boolean).join(' · ')),
    item.kind === 'image' &&
      h('div', { class: 'field inline' }, h('label', { for: field }, 'Shown for, in seconds'), seconds),
    mayEdit &&
      h(
        'div',
        { class: 'actions' },
        h('button', { type: 'button', class: 'button', onclick: rename }, icon('edit'), 'Rename'),
        h('button', { type: 'button', class: 'button danger-quiet', onclick: remove }, icon('remove'), 'Remove'),
      ),
  ];
}

/** Shows the item at a place of a list of items; the run through the list has no end, like that of a playlist. */
export function preview(ctx, list, place = 0) {
  const { live } = ctx;
  const known = (id) => live.document.items?.[id];
  const heading = h('span', {});
  const where = h('p', { class: 'hint', role: 'status' });
  const part = h('div', { class: 'preview' });
  let at = place;

  return dialog(
    heading,
    (close) => {
      const draw = () => {
        const id = list[at];
        text(heading, known(id).title || id);
        fill(part, itemPart(ctx, id, close));
      };
      const step = (by) => {
        // Items that somebody removed meanwhile are passed over.
        for (let turn = 0; turn < list.length; turn += 1) {
          at = (at + by + list.length) % list.length;
          if (known(list[at])) break;
        }
        if (!known(list[at])) return close();
        draw();
        text(where, `${known(list[at]).title || list[at]}, ${at + 1} of ${list.length}`);
        return undefined;
      };
      draw();
      if (list.length < 2) return part;
      text(where, `${at + 1} of ${list.length}`);
      const button = (by, words, shape) =>
        h('button', { type: 'button', class: 'button', onclick: () => step(by) }, icon(shape), words);
      return h(
        'div',
        {
          class: 'preview',
          onkeydown: (event) => {
            const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
            if (by && !event.target.closest('input, video')) step(by);
          },
        },
        h(
          'div',
          { class: 'row spread' },
          where,
          h('div', { class: 'actions' }, button(-1, 'Previous', 'previous'), button(1, 'Next', 'next')),
        ),
        part,
      );
    },
    { wide: true },
  );
}
