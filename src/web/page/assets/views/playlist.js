// The editor of a playlist: montages one after the other, in each a track for every output, in each track its items.

import { words as reason } from '../api.js';
import { attribute, fill, freshId, h, keepingFocus, text } from '../dom.js';
import { itemsOf, lengthOf, outputs, title } from '../environment.js';
import { icon } from '../icons.js';
import { freeId, itemsAt, montageDrawer, trackAt } from '../montages.js';
import { neighbour, orderable, placeOf } from '../order.js';
import { preview } from '../preview.js';
import { scheduleEditor } from '../schedule.js';
import { alarm, say, whisper } from '../say.js';
import { lasting, plural } from '../words.js';
import { choiceButtons, removePlaylist, renamePlaylist } from './playlists.js';

const clone = (montages) => structuredClone(montages ?? []);

export function playlistView(ctx) {
  const { live, id, base, go, mayEdit } = ctx;
  const name = () => live.document?.playlists?.[id]?.name || id;
  /** What was changed here and is not answered yet. */
  let draft;
  let drafts = 0;
  let drawn;
  let focusNext;
  let closed = false;
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
      // What comes next is made upon what the house has, not upon what it has refused.
      if (mine === drafts) draft = undefined;
      alarm(reason(error));
      if (error.kind === 'refused') await live.refresh('playlists', id).catch(() => undefined);
    }
    if (mine === drafts) draft = undefined;
    update();
  }

  const gone = (what) => alarm(`Someone else changed this playlist meanwhile: ${what} is not where it was. Try again.`);

  /** Moves an item, if it is still where it was taken and there still is where it goes. */
  function moved(from, to) {
    const montages = montagesNow();
    const here = itemsAt(montages, from);
    const there = here && itemsAt(montages, { list: to.list, of: to.of });
    if (!there) {
      gone(title(live.document, from.what));
      return;
    }
    const [item] = here.splice(from.index, 1);
    const index = Math.min(to.index, there.length);
    there.splice(index, 0, item);
    const track = trackAt(montages, to.list);
    const where = from.list === to.list ? '' : ` on ${track.screen}, montage ${Number(to.list.split('/')[0]) + 1}`;
    change(
      montages,
      `${title(live.document, item)}: now ${index + 1} of ${track.items.length}${where}`,
      `${to.list}/${index}`,
    );
  }

  const editor = h('div', { class: 'editor' });
  const order = mayEdit ? orderable(editor, moved, () => update()) : { dragging: () => false };
  const step = (row, by) => {
    const to = neighbour(editor, row, by);
    if (to) moved(placeOf(row), to);
  };

  /** Opens the preview of a row; from there one goes on to the other items of the playlist. */
  async function look({ list, index }) {
    const montages = montagesNow();
    const [m, t] = list.split('/').map(Number);
    const before = itemsOf({ montages: [...montages.slice(0, m), { tracks: montages[m]?.tracks?.slice(0, t) }] });
    await preview(ctx, itemsOf({ montages }), before.length + index);
    // The rows may have been drawn anew meanwhile: then the dialog had nobody to give the focus back to.
    if (!closed && document.activeElement === document.body)
      editor.querySelector(`[data-focus="${CSS.escape(`${list}/${index}/look`)}"]`)?.focus();
  }
  editor.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !event.target.hasAttribute('data-row')) return;
    event.preventDefault();
    event.target.querySelector('.look')?.focus();
    event.target.querySelector('.look')?.click();
  });

  const hint = freshId('hint');
  const montagePart = montageDrawer({ live, mayEdit, montagesNow, change, step, gone, look, hint });
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
  const element = h(
    'div',
    { class: 'view' },
    h('a', { class: 'back', href: `${base}/playlists` }, icon('back'), 'Playlists'),
    h(
      'div',
      { class: 'title-row' },
      heading,
      mayEdit &&
        h(
          'div',
          { class: 'title-actions' },
          h(
            'button',
            { type: 'button', class: 'button', onclick: () => renamePlaylist(live, id) },
            icon('edit'),
            'Rename',
          ),
          h('button', { type: 'button', class: 'button danger-quiet', onclick: remove }, icon('remove'), 'Remove'),
        ),
    ),
    h('div', { class: 'row spread' }, facts, choices.element),
    mayEdit &&
      h(
        'p',
        { class: 'hint keys', id: hint },
        'Drag a row by its grip, or focus it and press Alt with the up or down arrow. Enter shows its preview.',
      ),
    editor,
    mayEdit && h('button', { type: 'button', class: 'button', onclick: addMontage }, icon('add'), 'Add a montage'),
    schedule.element,
  );

  function update() {
    if (closed) return;
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
      keepingFocus(editor, () =>
        fill(
          editor,
          montages.map((montage, m) => montagePart(montage, m, montages)),
        ),
      );
    }
    if (focusNext) editor.querySelector(`[data-focus="${CSS.escape(focusNext)}"]`)?.focus();
    focusNext = undefined;
    attribute(editor, 'aria-busy', draft ? 'true' : undefined);
  }
  return {
    title: name,
    element,
    update,
    close() {
      closed = true;
    },
  };
}
