// The editor of a playlist: montages one after the other, in each a track for every output, in each track its items.

import { words as reason } from '../api.js';
import { attribute, fill, freshId, h, keepingFocus, text } from '../dom.js';
import { file, itemsOf, lengthOf, outputs, title } from '../environment.js';
import { icon } from '../icons.js';
import { orderable, neighbour } from '../order.js';
import { thumbnail } from '../picture.js';
import { pickItems } from '../picker.js';
import { scheduleEditor } from '../schedule.js';
import { alarm, say, whisper } from '../say.js';
import { saving } from '../fields.js';
import { lasting, plural } from '../words.js';
import { choiceButtons, removePlaylist, renamePlaylist } from './playlists.js';

const clone = (montages) => structuredClone(montages ?? []);

/** The smallest id of a stem that nothing in the playlist has yet. */
function freeId(montages, stem) {
  const taken = new Set(montages.flatMap(({ id, tracks }) => [id, ...(tracks ?? []).map((track) => track.id)]));
  let n = 1;
  while (taken.has(`${stem}${n}`)) n += 1;
  return `${stem}${n}`;
}

const trackAt = (montages, list) => {
  const [montage, track] = list.split('/').map(Number);
  return montages[montage]?.tracks[track];
};

export function playlistView(ctx) {
  const { live, id, base, go, mayEdit } = ctx;
  const name = () => live.document?.playlists?.[id]?.name || id;
  /** What was changed here and is not answered yet. */
  let draft;
  let drafts = 0;
  let drawn;
  let focusNext;
  const montagesNow = () => clone(draft ?? live.document?.playlists?.[id]?.montages);

  /** Shows a change at once, sends it, and takes it back when the house refuses. */
  async function change(montages, done, focus) {
    draft = montages;
    drafts += 1;
    const mine = drafts;
    focusNext = focus;
    update();
    if (done) whisper(done);
    try {
      await live.save('playlists', id, { montages });
    } catch (error) {
      alarm(reason(error));
      if (error.kind === 'refused') await live.refresh('playlists', id).catch(() => undefined);
    }
    if (mine === drafts) draft = undefined;
    update();
  }

  function moved(from, to) {
    const montages = montagesNow();
    const [item] = trackAt(montages, from.list).items.splice(from.index, 1);
    trackAt(montages, to.list).items.splice(to.index, 0, item);
    const track = trackAt(montages, to.list);
    const where = from.list === to.list ? '' : ` on ${track.screen}, montage ${Number(to.list.split('/')[0]) + 1}`;
    change(montages, `${title(live.document, item)}: now ${to.index + 1} of ${track.items.length}${where}`, `${to.list}/${to.index}`);
  }

  const editor = h('div', { class: 'editor' });
  const order = mayEdit ? orderable(editor, moved) : { dragging: () => false };
  const step = (row, by) => {
    const index = Number(row.dataset.index);
    const to = neighbour(editor, row, by);
    if (to) moved({ list: row.parentElement.dataset.list, index }, to);
  };

  function seconds(item, key) {
    const { kind, duration_ms: ms } = live.document.items?.[item] ?? {};
    if (kind !== 'image' || !mayEdit) return h('span', { class: 'duration' }, ms === undefined ? '' : lasting(ms));
    const field = freshId('seconds');
    const input = h('input', {
      type: 'number', id: field, min: '0.5', step: '0.5', max: '86400', inputmode: 'decimal', required: true, value: String(ms / 1000), 'data-focus': `${key}/seconds`,
      onchange: () => {
        if (!input.reportValidity()) return;
        saving(() => live.save('items', item, { duration_ms: Math.round(Number(input.value) * 1000) }), `${title(live.document, item)}: ${input.value} seconds`)
          .then((kept) => {
            if (!kept) input.value = String((live.document.items?.[item]?.duration_ms ?? ms) / 1000);
          });
      },
    });
    return h('span', { class: 'duration' }, h('label', { class: 'sr', for: field }, `Seconds for ${title(live.document, item)}`), input, h('span', { 'aria-hidden': 'true' }, 's'));
  }

  function itemRow(item, list, index, count, hint) {
    const key = `${list}/${index}`;
    const called = title(live.document, item);
    const known = live.document.items?.[item];
    const row = h('li', {
      'data-row': true, 'data-index': index, 'data-focus': key, tabindex: mayEdit ? '0' : undefined, class: 'item-row',
      'aria-label': `${called}, ${index + 1} of ${count}`, 'aria-describedby': mayEdit ? hint : undefined,
      'aria-keyshortcuts': mayEdit ? 'Alt+ArrowUp Alt+ArrowDown' : undefined,
    },
    mayEdit && h('span', { class: 'grip', 'data-grip': true, 'aria-hidden': 'true' }, icon('grip')),
    thumbnail(file(known), known?.kind),
    h('span', { class: 'row-title' }, h('span', { class: 'what' }, known ? called : `${called} (gone)`), h('span', { class: 'hint' }, known?.kind === 'video' ? 'Video' : known ? 'Image' : '')),
    seconds(item, key));
    if (!mayEdit) return row;
    const move = (by, words, shape) => h('button', {
      type: 'button', class: 'icon-button', 'aria-label': `${words}: ${called}`, 'data-focus': `${key}/${words}`, onclick: () => step(row, by),
    }, icon(shape));
    row.append(h('span', { class: 'row-buttons' }, move(-1, 'Move up', 'up'), move(1, 'Move down', 'down'), h('button', {
      type: 'button', class: 'icon-button', 'aria-label': `Take out: ${called}`, 'data-focus': `${key}/out`,
      onclick: () => {
        const montages = montagesNow();
        trackAt(montages, list).items.splice(index, 1);
        const left = count - 1;
        change(montages, `${called} was taken out`, left ? `${list}/${Math.min(index, left - 1)}` : `${list}/add`);
      },
    }, icon('close'))));
    return row;
  }

  async function addTo(list) {
    const chosen = await pickItems(ctx);
    if (!chosen?.length) return;
    const montages = montagesNow();
    const track = trackAt(montages, list);
    if (!track) return;
    track.items.push(...chosen);
    change(montages, `${plural(chosen.length, 'item')} added`, `${list}/${track.items.length - 1}`);
  }

  function trackPart(track, m, t, alone, hint) {
    const list = `${m}/${t}`;
    const field = freshId('output');
    const names = outputs(live.document);
    const select = h('select', {
      id: field, disabled: !mayEdit, 'data-focus': `${list}/output`,
      onchange: () => {
        const montages = montagesNow();
        trackAt(montages, list).screen = select.value;
        change(montages, `Track on ${select.value}`);
      },
    }, [...new Set([...names, track.screen])].map((output) => h('option', { value: output }, output)));
    select.value = track.screen;
    const items = track.items ?? [];
    const simple = alone && names.length === 1 && track.screen === 'main';
    return h('div', { class: 'track' },
      !simple && h('div', { class: 'track-head' },
        h('span', { class: 'field inline' }, h('label', { for: field }, `Track ${t + 1} on output`), select),
        mayEdit && !alone && h('button', {
          type: 'button', class: 'icon-button', 'aria-label': `Remove track ${t + 1} of montage ${m + 1}`,
          onclick: () => {
            const montages = montagesNow();
            montages[m].tracks.splice(t, 1);
            change(montages, 'Track removed', `${m}/${Math.max(0, t - 1)}/output`);
          },
        }, icon('remove'))),
      h('ol', { class: 'rows', 'data-list': list, 'aria-label': `Montage ${m + 1}, ${track.screen}` }, items.map((item, index) => itemRow(item, list, index, items.length, hint))),
      items.length === 0 && h('p', { class: 'hint nothing' }, 'Nothing here yet.'),
      mayEdit && h('button', { type: 'button', class: 'button add', 'data-focus': `${list}/add`, 'aria-label': `Add items to montage ${m + 1}, ${track.screen}`, onclick: () => addTo(list) }, icon('add'), 'Add items'));
  }

  function montagePart(montage, m, montages, hint) {
    const tracks = montage.tracks ?? [];
    const heading = freshId('montage');
    const shift = (by, words, shape) => h('button', {
      type: 'button', class: 'icon-button', 'aria-label': `${words}: montage ${m + 1}`, 'data-focus': `montage/${m}/${shape}`, disabled: !montages[m + by],
      onclick: () => {
        const now = montagesNow();
        now.splice(m + by, 0, ...now.splice(m, 1));
        change(now, `Montage is now ${m + by + 1} of ${now.length}`, `montage/${m + by}/${shape}`);
      },
    }, icon(shape));
    return h('section', { class: 'panel montage', 'aria-labelledby': heading },
      h('div', { class: 'montage-head' },
        h('h2', { id: heading }, montages.length === 1 ? 'Items' : `Montage ${m + 1}`),
        h('span', { class: 'hint' }, lasting(lengthOf(live.document, { montages: [montage] }))),
        mayEdit && h('span', { class: 'row' },
          h('button', {
            type: 'button', class: 'button small quiet', 'aria-label': `Add a track to montage ${m + 1}`, 'data-focus': `montage/${m}/track`,
            onclick: () => {
              const now = montagesNow();
              const used = tracks.map(({ screen }) => screen);
              const screen = outputs(live.document).find((output) => !used.includes(output)) ?? 'main';
              now[m].tracks = [...tracks, { id: freeId(now, 't'), screen, items: [] }];
              change(now, `Track on ${screen} added`, `${m}/${tracks.length}/add`);
            },
          }, icon('add'), 'Track'),
          montages.length > 1 && [shift(-1, 'Move up', 'up'), shift(1, 'Move down', 'down'), h('button', {
            type: 'button', class: 'icon-button', 'aria-label': `Remove montage ${m + 1}`,
            onclick: () => {
              const now = montagesNow();
              const [gone] = now.splice(m, 1);
              say(`Montage ${m + 1} with ${plural(itemsOf({ montages: [gone] }).length, 'item')} removed`);
              change(now, undefined, `montage/${Math.max(0, m - 1)}/track`);
            },
          }, icon('remove'))])),
      tracks.map((track, t) => trackPart(track, m, t, tracks.length === 1, hint)));
  }

  const hint = freshId('hint');
  const heading = h('h1', { tabindex: '-1' });
  const facts = h('p', { class: 'hint' });
  const choices = choiceButtons(live, id, mayEdit);
  const schedule = scheduleEditor(live, id, mayEdit);
  const remove = async () => {
    if (await removePlaylist(live, id)) go(`${base}/playlists`, { replace: true });
  };
  const addMontage = () => {
    const montages = montagesNow();
    montages.push({ id: freeId(montages, 'm'), tracks: [{ id: freeId(montages, 't'), screen: 'main', items: [] }] });
    change(montages, `Montage ${montages.length} added`, `${montages.length - 1}/0/add`);
  };
  const element = h('div', { class: 'view' },
    h('a', { class: 'back', href: `${base}/playlists` }, icon('back'), 'Playlists'),
    h('div', { class: 'title-row' }, heading,
      mayEdit && h('div', { class: 'title-actions' },
        h('button', { type: 'button', class: 'button', onclick: () => renamePlaylist(live, id) }, icon('edit'), 'Rename'),
        h('button', { type: 'button', class: 'button danger-quiet', onclick: remove }, icon('remove'), 'Remove'))),
    h('div', { class: 'row spread' }, facts, choices.element),
    mayEdit && h('p', { class: 'hint keys', id: hint }, 'Drag a row by its grip, or focus it and press Alt with the up or down arrow.'),
    editor,
    mayEdit && h('button', { type: 'button', class: 'button', onclick: addMontage }, icon('add'), 'Add a montage'),
    schedule.element);

  function update() {
    const playlist = live.document?.playlists?.[id];
    if (!playlist) {
      if (!live.document) return;
      say('This playlist was removed.');
      go(`${base}/playlists`, { replace: true });
      return;
    }
    const montages = montagesNow();
    text(heading, name());
    const count = itemsOf({ montages }).length;
    text(facts, count ? `${plural(count, 'item')}, ${lasting(lengthOf(live.document, { montages }))}` : 'Empty');
    choices.update();
    schedule.update();
    const used = itemsOf({ montages }).map((item) => live.document.items?.[item]);
    const now = JSON.stringify([montages, used, outputs(live.document)]);
    if (now !== drawn && !order.dragging()) {
      drawn = now;
      keepingFocus(editor, () => fill(editor, montages.map((montage, m) => montagePart(montage, m, montages, hint))));
    }
    if (focusNext) editor.querySelector(`[data-focus="${CSS.escape(focusNext)}"]`)?.focus();
    focusNext = undefined;
    attribute(editor, 'aria-busy', draft ? 'true' : undefined);
  }
  return { title: name, element, update };
}
