// One screen: a large live picture of each of its outputs, how it is in figures, and the settings it has of its own.

import { condLines, drawLines, showing, statePill } from '../card.js';
import { commandBar } from '../commands.js';
import { confirmDialog, nameDialog } from '../dialog.js';
import { attribute, fill, freshId, h, keyed, text } from '../dom.js';
import { outputsOf, sorted, title } from '../environment.js';
import { overridable, ownField, saving } from '../fields.js';
import { icon } from '../icons.js';
import { livePicture } from '../picture.js';
import { say } from '../say.js';
import { ago, lasting } from '../words.js';

const number = new Intl.NumberFormat();

/** Label and value of each fact that is known. */
function facts(live, id) {
  const report = live.reports[id];
  const state = report?.state;
  const counters = state?.counters ?? {};
  const count = (key) => (counters[key] === undefined ? undefined : number.format(counters[key]));
  const { complete, total } = state?.media ?? {};
  return [
    ['Last seen', report?.seen && (report.online ? 'now' : ago(report.seen))],
    ['Running for', state?.uptime_ms !== undefined && lasting(state.uptime_ms)],
    ['Items shown', count('items_shown')],
    ['Frames shown', count('presented')],
    ['Missed vblanks', count('missed_vblanks')],
    ['Dropped frames', count('dropped')],
    ['Late frames', count('late')],
    ['Media on the box', total !== undefined && `${complete} of ${total}`],
    [
      'Settings',
      state?.rev !== undefined &&
        live.rev !== undefined &&
        ((state.epoch ?? live.epoch) === live.epoch && state.rev >= live.rev ? 'up to date' : 'on their way'),
    ],
    ['Version', state?.version],
  ].filter(([, value]) => value);
}

function outputsTable(live, id) {
  const outputs = live.reports[id]?.state?.outputs ?? [];
  if (outputs.length < 2) return undefined;
  return h(
    'table',
    { class: 'plain' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ['Output', 'Item', 'Position'].map((words) => h('th', { scope: 'col' }, words)),
      ),
    ),
    h(
      'tbody',
      {},
      outputs.map(({ name, item, position }) =>
        h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, title(live.document, item)), h('td', {}, position)),
      ),
    ),
  );
}

/** The live picture of the output at a place, with its name where the box has more than one. */
function outputPicture(live, id, place) {
  const picture = livePicture(live, id, place);
  const name = h('figcaption', {});
  return {
    element: h('figure', {}, picture.element, name),
    update() {
      const names = outputsOf(live.document, id);
      name.hidden = names.length < 2;
      text(name, names[place] ?? '');
      picture.update();
    },
    close: picture.close,
  };
}

function groupField({ live, mayEdit }, id) {
  const field = freshId('group');
  const select = h('select', {
    id: field,
    disabled: !mayEdit,
    onchange: () => saving(() => live.save('screens', id, { group: select.value || null }), 'Group saved').then(update),
  });
  const element = h(
    'div',
    { class: 'setting' },
    h('div', { class: 'about' }, h('label', { for: field, class: 'label' }, 'Group')),
    h('div', { class: 'control' }, select),
  );
  let drawn;
  function update() {
    const groups = sorted(live.document?.groups).map(([key, { name }]) => [key, name]);
    const value = live.document?.screens?.[id]?.group ?? '';
    if (drawn !== JSON.stringify(groups)) {
      drawn = JSON.stringify(groups);
      fill(
        select,
        h('option', { value: '' }, 'None'),
        groups.map(([key, name]) => h('option', { value: key }, name)),
      );
    }
    select.value = value;
  }
  return { element, update };
}

export function screenView(ctx) {
  const { live, id, base, go, mayEdit } = ctx;
  const name = () => live.document?.screens?.[id]?.name || id;
  const heading = h('h1', { tabindex: '-1' });
  const pill = statePill();
  const gallery = h('div', { class: 'pictures' });
  const pictures = keyed(gallery, (place) => outputPicture(live, id, place));
  const what = h('span', { class: 'what' });
  const whence = h('span', { class: 'hint' });
  const lines = h('ul', { class: 'lines' });
  const figures = h('dl', { class: 'facts' });
  const outputs = h('div', {});
  const bar = commandBar({
    live,
    kind: 'screens',
    id,
    mayEdit,
    of: name,
    report: () => live.reports[id],
    possible: () => live.reports[id]?.online === true,
  });
  const fields = [
    groupField(ctx, id),
    ...overridable.map((key) => ownField(live, 'screens', id, key, { disabled: !mayEdit })),
  ];

  const rename = () =>
    nameDialog('Rename the screen', 'Name', name(), 'Rename', (value) => live.save('screens', id, { name: value }));
  const remove = async () => {
    const sure = await confirmDialog(
      `Remove ${name()}?`,
      'The box loses its right to this house at once. ' +
        'It keeps playing what it last knew of the house until it is paired anew.',
      'Remove the screen',
      () => live.remove('screens', id),
    );
    if (sure) go(base, { replace: true });
  };

  const section = h(
    'section',
    { class: 'screen-picture' },
    gallery,
    h('div', { class: 'under-picture' }, h('p', { class: 'shows' }, what, whence), bar.element),
  );
  const element = h(
    'div',
    { class: 'view' },
    h('a', { class: 'back', href: base }, icon('back'), 'Screens'),
    h(
      'div',
      { class: 'title-row' },
      heading,
      pill.element,
      mayEdit &&
        h(
          'div',
          { class: 'title-actions' },
          h('button', { type: 'button', class: 'button', onclick: rename }, icon('edit'), 'Rename'),
          h('button', { type: 'button', class: 'button danger-quiet', onclick: remove }, icon('remove'), 'Remove'),
        ),
    ),
    h(
      'div',
      { class: 'screen-view' },
      section,
      h(
        'section',
        { class: 'panel', 'aria-labelledby': 'condition' },
        h('h2', { id: 'condition' }, 'Condition'),
        lines,
        figures,
        outputs,
      ),
    ),
    h(
      'section',
      { class: 'panel', 'aria-labelledby': 'own-settings' },
      h('h2', { id: 'own-settings' }, 'Settings of this screen'),
      fields.map((field) => field.element),
    ),
  );
  const clock = setInterval(() => update(), 20_000);

  function update() {
    if (live.document && !live.document.screens?.[id]) {
      say('This screen was removed.');
      go(base, { replace: true });
      return;
    }
    text(heading, name());
    pill.set(live.reports[id]);
    const now = showing(live, id);
    text(what, now.what);
    text(whence, now.whence);
    drawLines(lines, condLines(live, id));
    const known = facts(live, id);
    if (figures.dataset.known !== JSON.stringify(known)) {
      figures.dataset.known = JSON.stringify(known);
      fill(
        figures,
        known.map(([label, value]) => h('div', {}, h('dt', {}, label), h('dd', {}, value))),
      );
      fill(outputs, outputsTable(live, id));
    }
    fields.forEach((field) => field.update());
    // Before the document is here, there is at least one.
    const count = Math.max(1, outputsOf(live.document, id).length);
    attribute(section, 'aria-label', count > 1 ? 'Live pictures' : 'Live picture');
    pictures.update(Array.from({ length: count }, (_, place) => [place]));
    bar.update();
  }
  return {
    title: name,
    element,
    update,
    close() {
      clearInterval(clock);
      pictures.close();
    },
  };
}
