// The montages of a playlist as they are drawn in its editor: panels, in them tracks, in them rows of items.

import { freshId, h } from './dom.js';
import { file, itemsOf, lengthOf, lengthOfItem, outputs, title } from './environment.js';
import { saving } from './fields.js';
import { icon } from './icons.js';
import { pickItems } from './picker.js';
import { thumbnail } from './picture.js';
import { say } from './say.js';
import { lasting, plural } from './words.js';

/** The smallest id of a stem that nothing in the playlist has yet. */
export function freeId(montages, stem) {
  const taken = new Set(montages.flatMap(({ id, tracks }) => [id, ...(tracks ?? []).map((track) => track.id)]));
  let n = 1;
  while (taken.has(`${stem}${n}`)) n += 1;
  return `${stem}${n}`;
}

/** The track of a list's key "montage/track". */
export const trackAt = (montages, list) => {
  const [montage, track] = list.split('/').map(Number);
  return montages[montage]?.tracks?.[track];
};

/** Which track is at a list's key: the ids of it and of its montage. */
export const trackId = (montages, list) => {
  const track = trackAt(montages, list);
  return track && `${montages[Number(list.split('/')[0])].id}/${track.id}`;
};

/** The items of the track at a place, if it is still the track that was there, and has the item that was there. */
export function itemsAt(montages, { list, of, index, what }) {
  if (trackId(montages, list) !== of) return undefined;
  const track = trackAt(montages, list);
  track.items ??= [];
  return what === undefined || track.items[index] === what ? track.items : undefined;
}

/**
 * Returns what draws one montage. `montagesNow()` gives a copy to change, `change(montages, words, focus)` makes it so,
 * `step(row, by)` moves a row, `gone(what)` says that something is not where it was, `look(place)` opens the preview of
 * a row, `hint` is the id of the words on how rows are moved.
 */
export function montageDrawer({ live, mayEdit, montagesNow, change, step, gone, look, hint }) {
  function seconds(item, key) {
    const known = live.document.items?.[item];
    const ms = lengthOfItem(known);
    if (known?.kind !== 'image' || !mayEdit) return h('span', { class: 'duration' }, ms === undefined ? '' : lasting(ms));
    const field = freshId('seconds');
    const input = h('input', {
      type: 'number',
      id: field,
      min: '0.5',
      step: '0.5',
      max: '86400',
      inputmode: 'decimal',
      required: true,
      value: String(ms / 1000),
      'data-focus': `${key}/seconds`,
      onchange: () => {
        if (!input.reportValidity()) return;
        saving(
          () => live.save('items', item, { duration_ms: Math.round(Number(input.value) * 1000) }),
          `${title(live.document, item)}: ${input.value} seconds`,
        ).then((kept) => {
          if (!kept) input.value = String((lengthOfItem(live.document.items?.[item]) ?? ms) / 1000);
        });
      },
    });
    return h(
      'span',
      { class: 'duration' },
      h('label', { class: 'sr', for: field }, `Seconds for ${title(live.document, item)}`),
      input,
      h('span', { 'aria-hidden': 'true' }, 's'),
    );
  }

  function itemRow(item, place, count) {
    const { list, index } = place;
    const key = `${list}/${index}`;
    const called = title(live.document, item);
    const known = live.document.items?.[item];
    const row = h(
      'li',
      {
        'data-row': item,
        'data-focus': key,
        tabindex: mayEdit ? '0' : undefined,
        class: 'item-row',
        'aria-label': `${called}, ${index + 1} of ${count}`,
        'aria-describedby': mayEdit ? hint : undefined,
        'aria-keyshortcuts': mayEdit ? 'Alt+ArrowUp Alt+ArrowDown' : undefined,
      },
      mayEdit && h('span', { class: 'grip', 'data-grip': true, 'aria-hidden': 'true' }, icon('grip')),
      known
        ? h(
            'button',
            {
              type: 'button',
              class: 'look',
              'aria-label': `Preview: ${called}`,
              title: 'Preview',
              'data-focus': `${key}/look`,
              onclick: () => look(place),
            },
            thumbnail(file(known), known.kind),
          )
        : thumbnail(),
      h(
        'span',
        { class: 'row-title' },
        h('span', { class: 'what' }, known ? called : `${called} (gone)`),
        h('span', { class: 'hint' }, known?.kind === 'video' ? 'Video' : known ? 'Image' : ''),
      ),
      seconds(item, key),
    );
    if (!mayEdit) return row;
    const move = (by, words, shape) =>
      h(
        'button',
        {
          type: 'button',
          class: 'icon-button',
          'aria-label': `${words}: ${called}`,
          'data-focus': `${key}/${words}`,
          onclick: () => step(row, by),
        },
        icon(shape),
      );
    row.append(
      h(
        'span',
        { class: 'row-buttons' },
        move(-1, 'Move up', 'up'),
        move(1, 'Move down', 'down'),
        h(
          'button',
          {
            type: 'button',
            class: 'icon-button',
            'aria-label': `Take out: ${called}`,
            'data-focus': `${key}/out`,
            onclick: () => {
              const montages = montagesNow();
              const items = itemsAt(montages, place);
              if (!items) return gone(called);
              items.splice(index, 1);
              const left = count - 1;
              change(
                montages,
                `${called} was taken out`,
                left ? `${list}/${Math.min(index, left - 1)}` : `${list}/add`,
              );
              return undefined;
            },
          },
          icon('close'),
        ),
      ),
    );
    return row;
  }

  async function addTo(place) {
    const chosen = await pickItems({ live });
    if (!chosen?.length) return;
    const montages = montagesNow();
    const items = itemsAt(montages, place);
    if (!items) {
      gone('this track');
      return;
    }
    items.push(...chosen);
    change(montages, `${plural(chosen.length, 'item')} added`, `${place.list}/${items.length - 1}`);
  }

  function trackPart(track, m, t, { id, alone }) {
    const list = `${m}/${t}`;
    const of = `${id}/${track.id}`;
    const field = freshId('output');
    const names = outputs(live.document);
    const select = h(
      'select',
      {
        id: field,
        disabled: !mayEdit,
        'data-focus': `${list}/output`,
        onchange: () => {
          const montages = montagesNow();
          if (!itemsAt(montages, { list, of })) return gone('this track');
          trackAt(montages, list).screen = select.value;
          return change(montages, `Track on ${select.value}`);
        },
      },
      [...new Set([...names, track.screen])].map((output) => h('option', { value: output }, output)),
    );
    select.value = track.screen;
    const items = track.items ?? [];
    const simple = alone && names.length === 1 && track.screen === 'main';
    return h(
      'div',
      { class: 'track' },
      !simple &&
        h(
          'div',
          { class: 'track-head' },
          h('span', { class: 'field inline' }, h('label', { for: field }, `Track ${t + 1} on output`), select),
          mayEdit &&
            !alone &&
            h(
              'button',
              {
                type: 'button',
                class: 'icon-button',
                'aria-label': `Remove track ${t + 1} of montage ${m + 1}`,
                onclick: () => {
                  const montages = montagesNow();
                  if (!itemsAt(montages, { list, of })) return gone('this track');
                  montages[m].tracks.splice(t, 1);
                  return change(montages, 'Track removed', `${m}/${Math.max(0, t - 1)}/output`);
                },
              },
              icon('remove'),
            ),
        ),
      h(
        'ol',
        { class: 'rows', 'data-list': list, 'data-id': of, 'aria-label': `Montage ${m + 1}, ${track.screen}` },
        items.map((item, index) => itemRow(item, { list, of, index, what: item }, items.length)),
      ),
      items.length === 0 && h('p', { class: 'hint nothing' }, 'Nothing here yet.'),
      mayEdit &&
        h(
          'button',
          {
            type: 'button',
            class: 'button add',
            'data-focus': `${list}/add`,
            'aria-label': `Add items to montage ${m + 1}, ${track.screen}`,
            onclick: () => addTo({ list, of }),
          },
          icon('add'),
          'Add items',
        ),
    );
  }

  function montagePart(montage, m, montages) {
    const tracks = montage.tracks ?? [];
    const heading = freshId('montage');
    /** The montages to change, if this one still is where it was; else that is said. */
    const mine = () => {
      const now = montagesNow();
      if (now[m]?.id === montage.id) return now;
      gone(`montage ${m + 1}`);
      return undefined;
    };
    const shift = (by, words, shape) =>
      h(
        'button',
        {
          type: 'button',
          class: 'icon-button',
          'aria-label': `${words}: montage ${m + 1}`,
          'data-focus': `montage/${m}/${shape}`,
          disabled: !montages[m + by],
          onclick: () => {
            const now = mine();
            if (!now?.[m + by]) return;
            now.splice(m + by, 0, ...now.splice(m, 1));
            change(now, `Montage is now ${m + by + 1} of ${now.length}`, `montage/${m + by}/${shape}`);
          },
        },
        icon(shape),
      );
    return h(
      'section',
      { class: 'panel montage', 'aria-labelledby': heading },
      h(
        'div',
        { class: 'montage-head' },
        h('h2', { id: heading }, montages.length === 1 ? 'Items' : `Montage ${m + 1}`),
        h('span', { class: 'hint' }, lasting(lengthOf(live.document, { montages: [montage] }))),
        mayEdit &&
          h(
            'span',
            { class: 'row' },
            h(
              'button',
              {
                type: 'button',
                class: 'button small quiet',
                'aria-label': `Add a track to montage ${m + 1}`,
                'data-focus': `montage/${m}/track`,
                onclick: () => {
                  const now = mine();
                  if (!now) return;
                  const there = (now[m].tracks ??= []);
                  const used = there.map(({ screen }) => screen);
                  const screen = outputs(live.document).find((output) => !used.includes(output)) ?? 'main';
                  there.push({ id: freeId(now, 't'), screen, items: [] });
                  change(now, `Track on ${screen} added`, `${m}/${there.length - 1}/add`);
                },
              },
              icon('add'),
              'Track',
            ),
            montages.length > 1 && [
              shift(-1, 'Move up', 'up'),
              shift(1, 'Move down', 'down'),
              h(
                'button',
                {
                  type: 'button',
                  class: 'icon-button',
                  'aria-label': `Remove montage ${m + 1}`,
                  onclick: () => {
                    const now = mine();
                    if (!now) return;
                    const removed = now.splice(m, 1);
                    say(`Montage ${m + 1} with ${plural(itemsOf({ montages: removed }).length, 'item')} removed`);
                    change(now, undefined, `montage/${Math.max(0, m - 1)}/track`);
                  },
                },
                icon('remove'),
              ),
            ],
          ),
      ),
      tracks.map((track, t) => trackPart(track, m, t, { id: montage.id, alone: tracks.length === 1 })),
    );
  }

  return montagePart;
}
