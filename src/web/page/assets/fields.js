// The settings of houses, groups and screens as fields that save themselves, with what is inherited shown as such.

import { words } from './api.js';
import { attribute, fill, freshId, h, text } from './dom.js';
import { inherited, playlistName, sorted } from './environment.js';
import { hoursEditor } from './hours.js';
import { alarm, say } from './say.js';
import { windowsInWords } from './words.js';

const fits = { contain: 'Whole picture', cover: 'Fill the screen, cut the edges', stretch: 'Stretch to the screen' };
const onOff = (value) => (value ? 'on' : 'off');

/** Each setting: its label, a hint, how it is edited and how its value is put in words. */
export const settings = {
  playlist: { label: 'Now playing', kind: 'playlist', words: (value, document) => playlistName(document, value) },
  default_playlist: {
    label: 'Default playlist',
    kind: 'playlist',
    hint: 'Plays when nothing else is chosen or scheduled, and when a box does not know the time.',
    words: (value, document) => playlistName(document, value),
  },
  volume: { label: 'Volume', kind: 'percent', words: (value) => `${Math.round((value ?? 0) * 100)} %` },
  mute: { label: 'Mute', kind: 'switch', words: onOff },
  fit: { label: 'Fit', kind: 'choice', choices: fits, words: (value) => fits[value] ?? '' },
  auto_advance: {
    label: 'Go on by itself',
    kind: 'switch',
    hint: 'Off: an item that ended holds its last picture until told.',
    words: onOff,
  },
  standby: { label: 'Standby now', kind: 'switch', hint: 'Displays are off, whatever the hours say.', words: onOff },
  display_hours: {
    label: 'Display hours',
    kind: 'hours',
    hint: 'Outside these hours the displays are off.',
    words: (value) => windowsInWords(value) || 'always on',
  },
};

/** The settings that groups and screens may have of their own. */
export const overridable = ['playlist', 'volume', 'mute', 'fit', 'auto_advance', 'standby', 'display_hours'];

/** Saves, and says how it went; resolves with whether it was saved. */
export async function saving(work, done) {
  try {
    await work();
    if (done) say(done);
    return true;
  } catch (error) {
    alarm(words(error));
    return false;
  }
}

/** A switch with a label: `set(value)` shows it. */
export function switchControl({ labelledby, describedby, changed, disabled, focus }) {
  const element = h(
    'button',
    {
      type: 'button',
      class: 'switch',
      role: 'switch',
      'aria-labelledby': labelledby,
      'aria-describedby': describedby,
      disabled,
      'data-focus': focus,
      onclick: () => {
        const value = element.getAttribute('aria-checked') !== 'true';
        attribute(element, 'aria-checked', String(value));
        changed(value);
      },
    },
    h('span', { class: 'knob' }),
  );
  return { element, set: (value) => attribute(element, 'aria-checked', String(Boolean(value))) };
}

/** A select of the house's playlists, kept up to date. */
export function playlistSelect({ id, changed, disabled, none = 'None' }) {
  const element = h('select', { id, disabled, onchange: () => changed(element.value || null) });
  let drawn;
  return {
    element,
    set(value, document) {
      const lists = sorted(document?.playlists);
      const now = JSON.stringify([lists.map(([key, { name }]) => [key, name]), value]);
      if (now === drawn) return;
      drawn = now;
      const gone = value && !document.playlists?.[value];
      fill(
        element,
        h('option', { value: '' }, none),
        gone && h('option', { value }, playlistName(document, value)),
        lists.map(([key, { name }]) => h('option', { value: key }, name)),
      );
      element.value = value ?? '';
    },
  };
}

function control(key, { id, label, hint, changed, disabled }) {
  const setting = settings[key];
  if (setting.kind === 'playlist') return playlistSelect({ id, changed, disabled });
  if (setting.kind === 'switch') return switchControl({ labelledby: label, describedby: hint, changed, disabled });
  if (setting.kind === 'choice') {
    const element = h(
      'select',
      { id, disabled, onchange: () => changed(element.value) },
      Object.entries(setting.choices).map(([value, words]) => h('option', { value }, words)),
    );
    return {
      element,
      set(value) {
        element.value = value;
      },
    };
  }
  if (setting.kind === 'percent') {
    const shown = h('output', { for: id });
    const input = h('input', {
      type: 'range',
      id,
      min: '0',
      max: '100',
      step: '1',
      disabled,
      oninput: () => text(shown, `${input.value} %`),
      onchange: () => changed(Number(input.value) / 100),
    });
    let held = false;
    input.addEventListener('pointerdown', () => {
      held = true;
    });
    for (const end of ['pointerup', 'pointercancel']) {
      input.addEventListener(end, () => {
        held = false;
      });
    }
    return {
      element: h('span', { class: 'percent' }, input, shown),
      set(value) {
        if (held) return;
        input.value = String(Math.round((value ?? 0) * 100));
        text(shown, `${input.value} %`);
      },
    };
  }
  return hoursEditor({ windows: [], changed, disabled, none: 'Always on.', what: setting.label });
}

/** A setting of the house itself: `{ element, update() }`. */
export function houseField(live, key, { disabled } = {}) {
  const setting = settings[key];
  const ids = { id: freshId(key), label: freshId('label'), hint: setting.hint && freshId('hint') };
  const changed = async (value) => {
    await saving(() => live.save('house', live.id, { [key]: value }), `${setting.label} saved`);
    update();
  };
  const part = control(key, { ...ids, changed, disabled });
  const wide = setting.kind === 'hours';
  const tag = ['switch', 'hours'].includes(setting.kind) ? 'span' : 'label';
  const element = h(
    'div',
    { class: `setting${wide ? ' wide' : ''}` },
    h(
      'div',
      { class: 'about' },
      h(tag, { id: ids.label, class: 'label', for: tag === 'label' ? ids.id : undefined }, setting.label),
      setting.hint && h('span', { class: 'hint', id: ids.hint }, setting.hint),
    ),
    h('div', { class: 'control' }, part.element),
  );
  function update() {
    if (live.document) part.set(live.document.house[key], live.document);
  }
  update();
  return { element, update };
}

/** A setting that a screen or group inherits or has of its own: `{ element, update() }`. */
export function ownField(live, kind, id, key, { disabled } = {}) {
  const setting = settings[key];
  const name = setting.label;
  const ids = { id: freshId(key), label: freshId('label'), hint: setting.hint && freshId('hint') };
  const save = async (value, done) => {
    await saving(() => live.save(kind, id, { [key]: value }), done);
    update();
  };
  const part = control(key, { ...ids, disabled, changed: (value) => save(value, `${name} saved`) });
  const value = h('span', { class: 'value' });
  const from = h('span', { class: 'hint' });
  const change = h('button', { type: 'button', class: 'button small', disabled });
  const wide = setting.kind === 'hours';
  const label = h('span', { id: ids.label, class: 'label' }, name);
  const field = h('label', { for: ids.id, class: 'label' }, name);
  const labelled = ['switch', 'hours'].includes(setting.kind);
  const about = h('div', { class: 'about' });
  const holder = h('div', { class: 'control' });
  const element = h('div', { class: `setting${wide ? ' wide' : ''}` }, about, holder);
  let shape;

  function update() {
    const resource = live.document?.[kind]?.[id];
    if (!resource) return;
    const own = resource[key] !== undefined;
    const above = inherited(live.document, kind, id, key);
    if (shape !== own) {
      const focused = document.activeElement === change;
      shape = own;
      fill(
        about,
        own && !labelled ? field : label,
        setting.hint && h('span', { class: 'hint', id: ids.hint }, setting.hint),
        !own && from,
      );
      fill(holder, own ? part.element : value, change);
      change.onclick = () =>
        own
          ? save(null, `${name}: as ${inherited(live.document, kind, id, key).from}`)
          : save(
              inherited(live.document, kind, id, key).value ?? fallback(key, live.document),
              `${name} is set here now`,
            );
      attribute(change, 'aria-label', own ? `Inherit: ${name}` : `Set here: ${name}`);
      text(change, own ? 'Inherit' : 'Set here');
      if (focused) change.focus();
    }
    if (own) part.set(resource[key], live.document);
    text(value, setting.words(above.value, live.document));
    text(from, `As ${above.from}`);
    change.disabled =
      Boolean(disabled) || (!own && above.value === undefined && fallback(key, live.document) === undefined);
  }
  update();
  return { element, update };
}

/** What an own setting begins with where nothing is inherited. */
function fallback(key, document) {
  if (key === 'display_hours') return [];
  if (key === 'playlist') return sorted(document.playlists)[0]?.[0];
  return undefined;
}
