// The weekly editor: windows of days and hours, for display hours and for schedules.

import { fill, freshId, h, keepingFocus } from './dom.js';
import { icon } from './icons.js';
import { days, longDays } from './words.js';

/** Inputs know no 24:00; midnight as an end means the same, since an end before the beginning is the next day's. */
const shown = (time) => (time === '24:00' ? '00:00' : time);
const same = (a, b) => JSON.stringify(a ?? []) === JSON.stringify(b ?? []);

/**
 * `changed(windows)` is called with the whole list whenever it is complete. `set(windows)` shows what the house has.
 * `none` says what an empty list means.
 */
export function hoursEditor({ windows, changed, disabled, none, what }) {
  let now = structuredClone(windows ?? []);
  let told = structuredClone(now);
  const element = h('div', { class: 'hours' });

  const complete = () => now.every(({ days: chosen, from, to }) => chosen.length > 0 && from && to);

  function tell() {
    if (!complete() || same(now, told)) return;
    told = structuredClone(now);
    changed(structuredClone(now));
  }

  function row(window, index) {
    const problem = h('p', { class: 'problem', role: 'status' });
    const toggle = (name) => {
      const id = freshId('day');
      const box = h('input', {
        type: 'checkbox',
        id,
        checked: window.days.includes(name),
        disabled,
        'data-focus': `${index}-${name}`,
        onchange: () => {
          window.days = days.filter((other) => (other === name ? box.checked : window.days.includes(other)));
          problem.textContent = window.days.length ? '' : 'Choose at least one day.';
          tell();
        },
      });
      return h(
        'span',
        { class: 'day' },
        box,
        h(
          'label',
          { for: id },
          h('span', { 'aria-hidden': 'true' }, longDays[name].slice(0, 2)),
          h('span', { class: 'sr' }, longDays[name]),
        ),
      );
    };
    const time = (key, words) => {
      const id = freshId(key);
      const input = h('input', {
        type: 'time',
        id,
        value: shown(window[key]),
        required: true,
        disabled,
        'data-focus': `${index}-${key}`,
        onchange: () => {
          window[key] = input.value;
          tell();
        },
      });
      return h('span', { class: 'time' }, h('label', { for: id }, words), input);
    };
    const remove = h(
      'button',
      {
        type: 'button',
        class: 'icon-button',
        disabled,
        'aria-label': `Remove hours ${index + 1}`,
        onclick: () => {
          now.splice(index, 1);
          draw();
          element.querySelector('.add').focus();
          tell();
        },
      },
      icon('remove'),
    );
    return h(
      'fieldset',
      { class: 'window' },
      h('legend', { class: 'sr' }, `${what}, hours ${index + 1}`),
      h('span', { class: 'days' }, days.map(toggle)),
      h('span', { class: 'times' }, time('from', 'from'), time('to', 'to'), remove),
      problem,
    );
  }

  function draw() {
    keepingFocus(element, () =>
      fill(
        element,
        now.length === 0 && h('p', { class: 'hint' }, none),
        now.map(row),
        h(
          'button',
          {
            type: 'button',
            class: 'button add',
            disabled,
            onclick: () => {
              now.push({ days: [...days], from: '08:00', to: '20:00' });
              draw();
              element.querySelector('fieldset:last-of-type input').focus();
              tell();
            },
          },
          icon('add'),
          'Add hours',
        ),
      ),
    );
  }

  draw();
  return {
    element,
    set(windows) {
      if (same(windows, told)) return;
      now = structuredClone(windows ?? []);
      told = structuredClone(now);
      draw();
    },
  };
}
