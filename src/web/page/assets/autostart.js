// The AutostartToggle: a play icon and a switch that flips at once and is taken back, with the reason spoken, when the
// house does not agree.

import { ask, askJson, words } from './api.js';
import { attribute, freshId, h, text } from './dom.js';
import { icon } from './icons.js';
import { houseInView } from './live.js';
import { recall, remember } from './memory.js';
import { alarm, whisper } from './say.js';

const STORE = 'house_autostart';

/** House id to the value that was asked for and is not yet answered. */
const asked = new Map();
const listeners = new Set();
let flips = 0;
/** House id to the number of its last flip. */
const newest = new Map();

const remembered = () => Object(recall(STORE) ?? {});

function keep(houseId, value) {
  const kept = remembered();
  if (kept[houseId] !== value) remember(STORE, { ...kept, [houseId]: value });
}

/** What the switch shows: what was just asked for, else what the house says, else what it said last time. */
export function autostartShown(houseId) {
  const known = houseInView(houseId)?.document?.house.autostart_playlist;
  const value = asked.get(houseId)?.value ?? known ?? remembered()[houseId];
  if (known !== undefined || asked.has(houseId)) keep(houseId, value);
  return value ?? false;
}

/** Why the switch went back, in words; `value` is what it shows, and `known` whether the house has just said so. */
function reason(error, value, known) {
  const now = `Autostart is ${value ? 'on' : 'off'}${known ? '' : ', as last known'}`;
  // An answer may be lost on its way when the change is made already.
  if (error.kind === 'offline' && known) return `The house could not be reached for a moment. ${now}.`;
  if (error.kind === 'offline') return `The house cannot be reached, and may not have heard of this. ${now}.`;
  if (error.kind === 'timeout') return `The house did not answer within 8 seconds. ${now}; try again in a moment.`;
  if (error.status === 412 && known) return `Someone else changed it meanwhile; it is now ${value ? 'on' : 'off'}.`;
  if (error.status === 412) return `Someone else changed it meanwhile. ${now}.`;
  if (error.status === 403) return `You may look at this house, but not change it. ${now}.`;
  if (error.status >= 500) return `The house has a fault of its own (${error.status}). ${now}.`;
  return `${words(error)} ${now}.`;
}

/** What the house has, asked for anew; nothing where it cannot be had. */
async function truth(houseId) {
  try {
    const live = houseInView(houseId);
    if (!live) return (await askJson('GET', `/houses/${houseId}`)).autostart_playlist;
    await live.refresh('house', houseId);
    return live.document?.house.autostart_playlist;
  } catch {
    return undefined;
  }
}

async function write(houseId, value) {
  const live = houseInView(houseId);
  if (live?.document) return live.save('house', houseId, { autostart_playlist: value });
  const { rev } = await askJson('GET', `/houses/${houseId}`);
  return ask('PATCH', `/houses/${houseId}`, { json: { autostart_playlist: value }, rev });
}

/** Turns the autostart of a house on or off: shown at once, kept when the house says so. Resolves with whether it did. */
export async function setHouseAutostart(houseId, value) {
  const before = houseInView(houseId)?.document?.house.autostart_playlist ?? autostartShown(houseId);
  flips += 1;
  const flip = flips;
  const last = () => asked.get(houseId)?.flip === flip;
  asked.set(houseId, { value, flip });
  newest.set(houseId, flip);
  keep(houseId, value);
  tell();
  try {
    await write(houseId, value);
    if (last()) asked.delete(houseId);
    tell();
    return true;
  } catch (error) {
    if (!last()) return false;
    // Back at once; what the house really has follows as soon as it can be asked.
    asked.delete(houseId);
    keep(houseId, before);
    tell();
    const now = error.kind === 'timeout' ? undefined : await truth(houseId);
    if (error.kind === 'timeout') truth(houseId).then(tell);
    // It was flipped again while the house was asked: that is what counts.
    if (newest.get(houseId) !== flip) return false;
    keep(houseId, now ?? before);
    tell();
    // Only the answer was lost.
    if (error.kind === 'offline' && now === value) return true;
    alarm(reason(error, now ?? before, now !== undefined));
    return false;
  }
}

function tell() {
  listeners.forEach((listener) => listener());
}

/** The switch of a house. `update()` after the house changed, `close()` when it leaves the page. */
export function autostartToggle(houseId, mayEdit) {
  const label = freshId('autostart');
  const hint = freshId('autostart-hint');
  const words = h('span', { class: 'hint', id: hint });
  const button = h(
    'button',
    {
      type: 'button',
      class: 'switch',
      role: 'switch',
      'aria-labelledby': label,
      'aria-describedby': hint,
      disabled: !mayEdit,
      onclick: () => {
        const value = !autostartShown(houseId);
        setHouseAutostart(houseId, value);
        whisper(`Autostart ${value ? 'on' : 'off'}`);
      },
    },
    h('span', { class: 'knob' }),
  );
  const element = h(
    'div',
    { class: 'autostart' },
    h('span', { class: 'disc' }, icon('play')),
    h('span', { class: 'words' }, h('span', { class: 'label', id: label }, 'Autostart'), words),
    button,
  );
  const update = () => {
    const on = autostartShown(houseId);
    attribute(button, 'aria-checked', on ? 'true' : 'false');
    element.classList.toggle('on', on);
    text(words, on ? 'Screens play by themselves' : 'Screens wait to be told');
  };
  listeners.add(update);
  update();
  return { element, update, close: () => listeners.delete(update) };
}
