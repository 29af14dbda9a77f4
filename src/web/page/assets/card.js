// A screen as a card: its live picture in the first place, then what it shows, how it is, and its commands.

import { commandBar } from './commands.js';
import { attribute, fill, h, text } from './dom.js';
import { outputsOf, playlistName, title } from './environment.js';
import { icon } from './icons.js';
import { livePicture } from './picture.js';
import { ago, condition, faults, health, plural } from './words.js';

/** A pill with the state's word: `set(report)`. */
export function statePill() {
  const word = h('span', {});
  const element = h('span', { class: 'pill' }, h('span', { class: 'dot' }), word);
  return {
    element,
    set(report) {
      const now = condition(report);
      attribute(element, 'data-tone', now.tone);
      text(word, now.word);
    },
  };
}

/** What a screen shows now: the title, and where it comes from. */
export function showing(live, id) {
  const state = live.reports[id]?.state;
  const online = live.reports[id]?.online;
  if (!state) return { what: online ? 'Starting' : 'Nothing yet', whence: '' };
  const what = state.title || title(live.document, state.item);
  const whence = state.playlist ? playlistName(live.document, state.playlist) : '';
  if (!what) return { what: 'Nothing playing', whence };
  return { what: online ? what : `Last: ${what}`, whence };
}

/** Lines on how a screen is: when it was seen, lost frames, faults, media still on the way. */
export function condLines(live, id) {
  const report = live.reports[id];
  if (!report) return [['calm', 'It has not reported yet']];
  const lines = [];
  if (!report.online) lines.push(['bad', report.seen ? `Last seen ${ago(report.seen)}` : 'Not seen yet']);
  const { state } = report;
  if (!state) return lines;
  for (const fault of faults(state, (item) => title(live.document, item))) lines.push(['bad', fault]);
  const frames = health(state);
  if (report.online) lines.push([frames.good ? 'good' : 'warn', frames.words]);
  const { complete = 0, total = 0 } = state.media ?? {};
  if (complete < total) lines.push(['calm', `Media: ${complete} of ${total} on the box`]);
  return lines;
}

const signs = { bad: 'warning', warn: 'warning', good: 'check', calm: 'download' };

/** Draws the lines where they changed. */
export function drawLines(list, lines) {
  const now = JSON.stringify(lines);
  if (list.dataset.lines === now) return;
  list.dataset.lines = now;
  fill(
    list,
    lines.map(([tone, words]) => h('li', { 'data-tone': tone }, icon(signs[tone]), h('span', {}, words))),
  );
}

export function screenCard({ live, base, mayEdit }, id) {
  const picture = livePicture(live, id);
  const outputs = h('span', { class: 'outputs', hidden: true });
  picture.element.append(outputs);
  const link = h('a', { href: `${base}/screens/${encodeURIComponent(id)}` });
  const pill = statePill();
  const what = h('span', { class: 'what' });
  const whence = h('span', { class: 'hint' });
  const lines = h('ul', { class: 'lines' });
  const name = () => live.document?.screens?.[id]?.name || id;
  const bar = commandBar({
    live,
    kind: 'screens',
    id,
    mayEdit,
    of: name,
    report: () => live.reports[id],
    possible: () => live.reports[id]?.online === true,
  });
  const element = h(
    'article',
    { class: 'card', 'data-screen': id },
    picture.element,
    h(
      'div',
      { class: 'card-body' },
      h('div', { class: 'card-head' }, h('h3', {}, link), pill.element),
      h('p', { class: 'shows' }, what, whence),
      lines,
    ),
    bar.element,
  );
  return {
    element,
    update() {
      text(link, name());
      pill.set(live.reports[id]);
      const now = showing(live, id);
      text(what, now.what);
      text(whence, now.whence);
      drawLines(lines, condLines(live, id));
      const { length } = outputsOf(live.document, id);
      outputs.hidden = length < 2;
      text(outputs, plural(length, 'output'));
      element.classList.toggle('away', live.reports[id]?.online !== true);
      picture.update();
      bar.update();
    },
    close: picture.close,
  };
}
