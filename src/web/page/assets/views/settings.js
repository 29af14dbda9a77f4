// The settings of the house, its alerts, the people and tools that may use it.

import { alertsPanel } from '../alerts.js';
import { membersPanel, tokensPanel } from '../access.js';
import { askJson } from '../api.js';
import { autostartToggle } from '../autostart.js';
import { confirmDialog } from '../dialog.js';
import { freshId, h } from '../dom.js';
import { houseField, saving } from '../fields.js';
import { icon } from '../icons.js';
import { forget } from '../memory.js';

function zones() {
  const all = Intl.supportedValuesOf ? Intl.supportedValuesOf('timeZone') : [];
  return all.includes('UTC') ? all : ['UTC', ...all];
}

function clockIn(zone) {
  try {
    return new Intl.DateTimeFormat(undefined, {
      timeZone: zone,
      weekday: 'long',
      hour: '2-digit',
      minute: '2-digit',
    }).format(new Date());
  } catch {
    return undefined;
  }
}

/** A line of text of the house that saves itself when one leaves it. */
function textField({ live, mayEdit }, key, label, { list, check, hint } = {}) {
  const id = freshId(key);
  const note = h('span', { class: 'hint', id: `${id}-hint` });
  const problem = h('span', { class: 'problem', role: 'status' });
  const input = h('input', {
    type: 'text',
    id,
    required: true,
    maxlength: '200',
    autocomplete: 'off',
    list,
    disabled: !mayEdit,
    'aria-describedby': `${id}-hint`,
    onchange: async () => {
      const value = input.value.trim();
      const wrong = value ? check?.(value) : 'This cannot be empty.';
      problem.textContent = wrong ?? '';
      if (wrong || value === live.document.house[key]) return;
      await saving(() => live.save('house', live.id, { [key]: value }), `${label} saved`);
      show();
    },
  });
  const show = () => {
    const value = live.document.house[key] ?? '';
    if (document.activeElement !== input || input.value.trim() === value) input.value = value;
    note.textContent = hint?.(value) ?? '';
  };
  const element = h(
    'div',
    { class: 'setting' },
    h('div', { class: 'about' }, h('label', { class: 'label', for: id }, label), note),
    h('div', { class: 'control column' }, input, problem),
  );
  return { element, update: show };
}

function panel(title, ...children) {
  const id = freshId('panel');
  return h('section', { class: 'panel', 'aria-labelledby': id }, h('h2', { id }, title), children);
}

export function settingsView(ctx) {
  const { live, mayEdit, mayOwn, go, refresh } = ctx;
  const list = freshId('zones');
  const name = textField(ctx, 'name', 'Name');
  const zone = textField(ctx, 'time_zone', 'Time zone', {
    list,
    check: (value) => (clockIn(value) ? undefined : 'No such time zone. Choose one of the list, as in Europe/Paris.'),
    hint: (value) => (clockIn(value) ? `It is ${clockIn(value)} there.` : ''),
  });
  const field = (key) => houseField(live, key, { disabled: !mayEdit });
  const fields = Object.fromEntries(
    ['playlist', 'default_playlist', 'auto_advance', 'volume', 'mute', 'fit', 'standby', 'display_hours'].map((key) => [
      key,
      field(key),
    ]),
  );
  const toggle = autostartToggle(live.id, mayEdit);
  const people = mayOwn ? membersPanel(live) : undefined;
  const tokens = mayOwn ? tokensPanel(live) : undefined;
  const alerts = mayEdit ? alertsPanel(live) : undefined;
  const remove = async () => {
    const sure = await confirmDialog(
      `Remove ${live.document.house.name}?`,
      'The house goes for good, with its playlists, media and play log. ' +
        'Its boxes keep playing what they last knew of it until they are paired anew.',
      'Remove the house',
      async () => {
        // Its end comes over the connection, too, perhaps before the answer.
        live.leaving = true;
        try {
          await askJson('DELETE', `/houses/${live.id}`, { rev: live.document.house.rev });
        } catch (error) {
          live.leaving = false;
          throw error;
        }
      },
    );
    if (!sure) return;
    forget('house_last');
    await refresh().catch(() => undefined);
    go('/houses', { replace: true });
  };
  const element = h(
    'div',
    { class: 'view' },
    h('h1', { tabindex: '-1' }, 'Settings'),
    panel(
      'House',
      name.element,
      zone.element,
      h(
        'datalist',
        { id: list },
        zones().map((value) => h('option', { value })),
      ),
    ),
    panel(
      'Playing',
      toggle.element,
      fields.playlist.element,
      fields.default_playlist.element,
      fields.auto_advance.element,
    ),
    panel('Picture and sound', fields.fit.element, fields.volume.element, fields.mute.element),
    panel('Displays', fields.standby.element, fields.display_hours.element),
    alerts?.element,
    people?.element,
    tokens?.element,
    mayOwn &&
      panel(
        'Remove this house',
        h('p', { class: 'hint' }, 'Screens, playlists, media and the play log go with it.'),
        h(
          'button',
          { type: 'button', class: 'button danger-quiet', onclick: remove },
          icon('remove'),
          'Remove the house',
        ),
      ),
  );
  return {
    title: 'Settings',
    element,
    close() {
      for (const part of [toggle, people, tokens, alerts]) part?.close();
    },
    update() {
      name.update();
      zone.update();
      toggle.update();
      Object.values(fields).forEach((part) => part.update());
    },
  };
}
