// The play log: what was shown where, when and for how long, with filters and as CSV.

import { askJson, words } from '../api.js';
import { field, fill, h } from '../dom.js';
import { playlistName, sorted, title } from '../environment.js';
import { icon } from '../icons.js';
import { whisper } from '../say.js';
import { lasting, plural } from '../words.js';

const PAGE = 100;
const AFTER_A_PLAY_MS = 1500;

/** The instant at which a day begins in a time zone, as RFC 3339 in UTC. */
export function dayBegin(date, zone) {
  const wanted = Date.parse(`${date}T00:00:00Z`);
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const wall = (instant) => {
    const at = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second);
  };
  // Twice, because the zone may have changed its clocks between the guess and the day's beginning.
  let instant = wanted;
  for (let turn = 0; turn < 2; turn += 1) instant += wanted - wall(instant);
  return new Date(instant).toISOString();
}

const nextDay = (date) => new Date(Date.parse(`${date}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);

export function logView({ live }) {
  const zone = () => live.document?.house.time_zone ?? 'UTC';
  const at = (iso) =>
    new Intl.DateTimeFormat(undefined, {
      timeZone: zone(),
      day: 'numeric',
      month: 'short',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    }).format(new Date(iso));
  const screen = h('select', { onchange: () => load() });
  let offered;
  /** Lets the filter offer the screens that there are; answers whether the chosen one is gone. */
  function offer() {
    const screens = sorted(live.document.screens).map(([id, { name }]) => [id, name]);
    if (offered === JSON.stringify(screens)) return false;
    offered = JSON.stringify(screens);
    const chosen = screen.value;
    fill(
      screen,
      [['', 'All screens'], ...screens].map(([id, name]) => h('option', { value: id }, name)),
    );
    const stays = screens.some(([id]) => id === chosen);
    screen.value = stays ? chosen : '';
    return Boolean(chosen) && !stays;
  }
  const from = h('input', { type: 'date', onchange: () => load() });
  const to = h('input', { type: 'date', onchange: () => load() });
  const csv = h('a', { class: 'button', download: 'plays.csv' }, icon('download'), 'CSV');
  const body = h('tbody', {});
  const note = h('p', { class: 'hint' });
  const more = h('button', { type: 'button', class: 'button', hidden: true, onclick: () => load(true) }, 'Show older');
  let plays = [];
  /** What the house called the page after the last one; nothing at the end. */
  let next;
  let turn = 0;

  function query(extra) {
    const search = new URLSearchParams();
    if (screen.value) search.set('screen', screen.value);
    if (from.value) search.set('from', dayBegin(from.value, zone()));
    if (to.value) search.set('to', dayBegin(nextDay(to.value), zone()));
    for (const [key, value] of Object.entries(extra ?? {})) search.set(key, value);
    return search.toString();
  }

  const row = ({ at: when, screen: of, output, playlist, item, title: said, duration_ms: ms }) =>
    h(
      'tr',
      {},
      h('td', { 'data-label': 'When' }, h('time', { datetime: when }, at(when))),
      h(
        'td',
        { 'data-label': 'Screen' },
        live.document.screens?.[of]?.name ?? of,
        output && output !== 'main' && h('span', { class: 'hint' }, ` ${output}`),
      ),
      h('th', { scope: 'row', 'data-label': 'Item' }, said || title(live.document, item)),
      h('td', { 'data-label': 'Playlist' }, playlist ? playlistName(live.document, playlist) : ''),
      h('td', { 'data-label': 'Shown for', class: 'number' }, lasting(ms)),
    );

  async function load(older, quiet) {
    turn += 1;
    const mine = turn;
    csv.href = `/api/v1/houses/${live.id}/plays.csv?${query()}`;
    const after = older && next ? { before: next } : {};
    more.disabled = true;
    try {
      const answer = await askJson('GET', `/houses/${live.id}/plays?${query({ limit: PAGE, ...after })}`);
      if (mine !== turn) return;
      plays = older ? [...plays, ...answer.plays] : answer.plays;
      next = answer.next;
      if (older) body.append(...answer.plays.map(row));
      else fill(body, plays.map(row));
      note.textContent = plays.length ? '' : 'Nothing was shown in this time.';
      more.hidden = !next;
      if (!quiet) whisper(`${plural(plays.length, 'entry', 'entries')} shown`);
    } catch (error) {
      if (mine === turn) note.textContent = words(error);
    }
    more.disabled = false;
  }

  const element = h(
    'div',
    { class: 'view' },
    h(
      'div',
      { class: 'title-row' },
      h('h1', { tabindex: '-1' }, 'Play log'),
      h('div', { class: 'title-actions' }, csv),
    ),
    h(
      'form',
      { class: 'filters', 'aria-label': 'Filter', onsubmit: (event) => event.preventDefault() },
      field('Screen', screen),
      field('From', from),
      field('To', to),
    ),
    h(
      'div',
      { class: 'panel table-panel' },
      h(
        'table',
        { class: 'log' },
        h('caption', { class: 'sr' }, `What was shown, newest first; times of ${zone()}`),
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['When', 'Screen', 'Item', 'Playlist', 'Shown for'].map((label) => h('th', { scope: 'col' }, label)),
          ),
        ),
        body,
      ),
      note,
    ),
    more,
  );
  // A screen that goes to another item has played one: the newest page is asked for anew, unless older ones are open.
  let known;
  let due;
  offer();
  load(false, true);
  return {
    title: 'Play log',
    element,
    update() {
      if (offer()) load(false, true);
      const now = JSON.stringify(
        Object.values(live.reports).map(({ state }) => [state?.item, state?.position, state?.counters?.items_shown]),
      );
      const again = known !== undefined && known !== now && plays.length <= PAGE;
      known = now;
      if (!again) return;
      due ??= setTimeout(() => {
        due = undefined;
        if (plays.length <= PAGE) load(false, true);
      }, AFTER_A_PLAY_MS);
    },
    close: () => clearTimeout(due),
  };
}
