// When a playlist plays by itself: dates, days and hours, and which of several goes first.

import { fill, freshId, h } from './dom.js';
import { saving, switchControl } from './fields.js';
import { hoursEditor } from './hours.js';

export function scheduleEditor(live, id, mayEdit) {
  const heading = freshId('schedule');
  const hint = freshId('hint');
  const body = h('div', {});
  const get = () => live.document?.playlists?.[id]?.schedule;
  const save = (patch, done) => saving(() => live.save('playlists', id, { schedule: patch }), done).then(update);
  const on = switchControl({
    labelledby: heading,
    describedby: hint,
    disabled: !mayEdit,
    changed: (value) =>
      save(value ? { priority: 0, windows: [] } : null, value ? 'The playlist is scheduled' : 'The schedule is off'),
  });
  const element = h(
    'section',
    { class: 'panel', 'aria-labelledby': heading },
    h(
      'div',
      { class: 'setting' },
      h(
        'div',
        { class: 'about' },
        h('h2', { id: heading }, 'Schedule'),
        h('span', { class: 'hint', id: hint }, 'At these times it plays by itself, in place of what is chosen.'),
      ),
      h('div', { class: 'control' }, on.element),
    ),
    body,
  );

  const date = (key, words) => {
    const field = freshId(key);
    const input = h('input', {
      type: 'date',
      id: field,
      disabled: !mayEdit,
      onchange: () => input.validity.valid && save({ [key]: input.value || null }, 'Schedule saved'),
    });
    return { key, input, element: h('div', { class: 'field' }, h('label', { for: field }, words), input) };
  };
  const dates = [date('from_date', 'First day'), date('to_date', 'Last day')];
  const field = freshId('priority');
  const priority = h('input', {
    type: 'number',
    id: field,
    step: '1',
    min: '0',
    max: '1000',
    disabled: !mayEdit,
    'aria-describedby': `${field}-hint`,
    onchange: () => priority.reportValidity() && save({ priority: Number(priority.value) }, 'Priority saved'),
  });
  const hours = hoursEditor({
    windows: [],
    disabled: !mayEdit,
    what: 'Schedule',
    none: 'All day, every day.',
    changed: (windows) => save({ windows }, 'Schedule saved'),
  });
  const content = [
    h(
      'div',
      { class: 'fields' },
      dates.map((part) => part.element),
      h(
        'div',
        { class: 'field' },
        h('label', { for: field }, 'Priority'),
        priority,
        h('span', { class: 'hint', id: `${field}-hint` }, 'The highest plays.'),
      ),
    ),
    h('h3', {}, 'Days and hours'),
    hours.element,
  ];
  let shape;

  function update() {
    const schedule = get();
    on.set(schedule);
    if (shape !== Boolean(schedule)) {
      shape = Boolean(schedule);
      fill(body, shape && content);
    }
    if (!schedule) return;
    for (const { key, input } of dates) if (document.activeElement !== input) input.value = schedule[key] ?? '';
    if (document.activeElement !== priority) priority.value = String(schedule.priority ?? 0);
    hours.set(schedule.windows);
  }
  return { element, update };
}
