// A group of screens: which belong to it, and the settings they take together.

import { statePill } from '../card.js';
import { commandBar } from '../commands.js';
import { confirmDialog, nameDialog } from '../dialog.js';
import { fill, freshId, h, text } from '../dom.js';
import { sorted } from '../environment.js';
import { overridable, ownField, saving } from '../fields.js';
import { icon } from '../icons.js';
import { say } from '../say.js';

/** A line with a box to tick for each screen of the house. */
function members({ live, mayEdit }, group) {
  const list = h('ul', { class: 'ticks' });
  let drawn;
  const pills = new Map();
  function update() {
    const screens = sorted(live.document?.screens);
    const now = JSON.stringify(screens.map(([key, { name, group: of }]) => [key, name, of]));
    if (now !== drawn) {
      drawn = now;
      const held = document.activeElement?.dataset.screen;
      pills.clear();
      fill(
        list,
        screens.map(([key, screen]) => {
          const id = freshId('member');
          const pill = statePill();
          pills.set(key, pill);
          const other = screen.group !== group && live.document.groups?.[screen.group]?.name;
          const box = h('input', {
            type: 'checkbox',
            id,
            checked: screen.group === group,
            disabled: !mayEdit,
            'data-screen': key,
            onchange: async () => {
              const kept = await saving(
                () => live.save('screens', key, { group: box.checked ? group : null }),
                `${screen.name} ${box.checked ? 'is in the group' : 'left the group'}`,
              );
              if (!kept) box.checked = !box.checked;
            },
          });
          return h(
            'li',
            {},
            box,
            h('label', { for: id }, screen.name || key, other && h('span', { class: 'hint' }, `now in ${other}`)),
            pill.element,
          );
        }),
      );
      if (held) list.querySelector(`[data-screen="${CSS.escape(held)}"]`)?.focus();
    }
    pills.forEach((pill, key) => pill.set(live.reports[key]));
  }
  return { element: list, update };
}

export function groupView(ctx) {
  const { live, id, base, go, mayEdit } = ctx;
  const name = () => live.document?.groups?.[id]?.name || id;
  const heading = h('h1', { tabindex: '-1' });
  const bar = commandBar({ live, kind: 'groups', id, mayEdit, of: name });
  const fields = [
    members(ctx, id),
    ...overridable.map((key) => ownField(live, 'groups', id, key, { disabled: !mayEdit })),
  ];
  const rename = () =>
    nameDialog('Rename the group', 'Name', name(), 'Rename', (value) => live.save('groups', id, { name: value }));
  const remove = async () => {
    const sure = await confirmDialog(
      `Remove the group ${name()}?`,
      'Its screens stay and take the settings of the house.',
      'Remove the group',
      () => live.remove('groups', id),
    );
    if (sure) go(base, { replace: true });
  };
  const element = h(
    'div',
    { class: 'view' },
    h('a', { class: 'back', href: base }, icon('back'), 'Screens'),
    h(
      'div',
      { class: 'title-row' },
      heading,
      mayEdit &&
        h(
          'div',
          { class: 'title-actions' },
          h('button', { type: 'button', class: 'button', onclick: rename }, icon('edit'), 'Rename'),
          h('button', { type: 'button', class: 'button danger-quiet', onclick: remove }, icon('remove'), 'Remove'),
        ),
    ),
    bar.element,
    h(
      'section',
      { class: 'panel', 'aria-labelledby': 'members' },
      h('h2', { id: 'members' }, 'Screens of the group'),
      fields[0].element,
    ),
    h(
      'section',
      { class: 'panel', 'aria-labelledby': 'together' },
      h('h2', { id: 'together' }, 'Settings they take together'),
      fields.slice(1).map((field) => field.element),
    ),
  );
  return {
    title: name,
    element,
    update() {
      if (live.document && !live.document.groups?.[id]) {
        say('This group was removed.');
        go(base, { replace: true });
        return;
      }
      text(heading, name());
      bar.update();
      fields.forEach((field) => field.update());
    },
  };
}
