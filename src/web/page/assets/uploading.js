// What one sees of uploads: the button, the place to drop files, the list with its progress.

import { attribute, h, keyed, text } from './dom.js';
import { icon } from './icons.js';
import { say } from './say.js';
import { uploadsOf } from './upload.js';
import { plural, size } from './words.js';

const TYPES = 'video/*,image/*';

async function take(houseId, files, done) {
  const uploads = uploadsOf(houseId);
  const adding = uploads.add(files);
  for (const { name, continued } of uploads.entries.slice(-files.length))
    if (continued) say(`${name} goes on where it was`);
  const made = await adding;
  if (made.length) say(`${plural(made.length, 'file')} uploaded`);
  done?.(made);
}

/** A button that asks for files; `done(items)` gets the items made of them. */
export function uploadButton(houseId, done, look = 'button') {
  const input = h('input', {
    type: 'file',
    multiple: true,
    accept: TYPES,
    hidden: true,
    onchange: () => {
      take(houseId, input.files, done);
      input.value = '';
    },
  });
  return h(
    'span',
    {},
    input,
    h('button', { type: 'button', class: look, onclick: () => input.click() }, icon('upload'), 'Upload files'),
  );
}

/** Files dropped on the element are uploaded. */
export function dropZone(element, houseId) {
  let depth = 0;
  const files = (event) => event.dataTransfer?.types.includes('Files');
  const mark = (by) => {
    depth = Math.max(0, depth + by);
    element.classList.toggle('dropping', depth > 0);
  };
  element.addEventListener('dragenter', (event) => files(event) && mark(1));
  element.addEventListener('dragleave', (event) => files(event) && mark(-1));
  element.addEventListener('dragover', (event) => files(event) && event.preventDefault());
  element.addEventListener('drop', (event) => {
    if (!files(event)) return;
    event.preventDefault();
    mark(-depth);
    take(houseId, event.dataTransfer.files);
  });
}

const states = {
  waiting: 'Waiting',
  sending: '',
  retrying: 'The connection broke; going on soon.',
  done: 'Done',
  failed: '',
};

function row(uploads, entry) {
  const name = h('span', { class: 'what' }, entry.name);
  const note = h('span', { class: 'hint' });
  const bar = h('progress', {
    max: String(Math.max(1, entry.size)),
    value: 0,
    'aria-label': `Upload of ${entry.name}`,
  });
  const again = h(
    'button',
    { type: 'button', class: 'button small', hidden: true, onclick: () => uploads.retry(entry) },
    'Try again',
  );
  const drop = h('button', { type: 'button', class: 'icon-button', onclick: () => uploads.drop(entry) }, icon('close'));
  const element = h('li', {}, h('span', { class: 'row-title' }, name, note), bar, again, drop);
  return {
    element,
    update() {
      bar.value = entry.state === 'done' ? entry.size : entry.sent;
      element.dataset.state = entry.state;
      const trouble = entry.state === 'retrying' && entry.trouble && `${entry.trouble} Going on soon.`;
      text(note, entry.error ?? (trouble || states[entry.state] || `${size(entry.sent)} of ${size(entry.size)}`));
      again.hidden = entry.state !== 'failed';
      attribute(
        drop,
        'aria-label',
        entry.state === 'done' ? `Clear ${entry.name}` : `Give up the upload of ${entry.name}`,
      );
    },
  };
}

/** An upload of before that wants its file. */
function leftRow(uploads, one) {
  const note = h('span', { class: 'hint' });
  const bar = h('progress', { max: String(one.size), value: 0, 'aria-label': `Upload of ${one.name}` });
  const drop = h(
    'button',
    {
      type: 'button',
      class: 'icon-button',
      'aria-label': `Give up the upload of ${one.name}`,
      onclick: () => uploads.giveUp(one.id),
    },
    icon('close'),
  );
  return {
    element: h(
      'li',
      { 'data-state': 'left' },
      h('span', { class: 'row-title' }, h('span', { class: 'what' }, one.name), note),
      bar,
      drop,
    ),
    update() {
      bar.value = one.sent ?? 0;
      const far = one.sent === undefined ? '' : `, ${size(one.sent)} of ${size(one.size)} are here`;
      text(note, `Not finished${far}. Choose the same file again, and it goes on there.`);
    },
  };
}

/** The uploads under way, and those of before that are not finished; gone when there are none. */
export function uploadList(houseId) {
  const uploads = uploadsOf(houseId);
  const list = h('ul', {});
  const left = h('ul', { 'aria-label': 'To be continued' });
  const element = h('section', { class: 'uploads', 'aria-label': 'Uploads' }, left, list);
  const rows = keyed(list, (key) =>
    row(
      uploads,
      uploads.entries.find((entry) => entry.key === key),
    ),
  );
  const leftRows = keyed(left, (id) =>
    leftRow(
      uploads,
      uploads.left.find((one) => one.id === id),
    ),
  );
  const update = () => {
    element.hidden = uploads.entries.length + uploads.left.length === 0;
    list.hidden = uploads.entries.length === 0;
    left.hidden = uploads.left.length === 0;
    rows.update(uploads.entries.map(({ key }) => [key]));
    leftRows.update(uploads.left.map(({ id }) => [id]));
  };
  update();
  return { element, close: uploads.subscribe(update) };
}
