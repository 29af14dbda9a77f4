// The live picture of a screen's output: fetched anew while it is in sight, the last good one kept and its age told.

import { ask } from './api.js';
import { attribute, h, text } from './dom.js';
import { icon } from './icons.js';
import { outputsOf, title } from './environment.js';
import { ago, condition, lasting } from './words.js';

/** No picture of a connected screen is older than this while somebody looks at it. */
const OLDEST_MS = 10_000;
/** The house waits so long for the box's picture, then gives the one it has. */
const HOUSE_WAITS_MS = 4_000;
/** For the way to the house and back, and because dates are whole seconds. */
const WAY_MS = 1_500;
/** The next one is asked for when the last one has this age: then it is here in time, however long the house waits. */
const DUE_MS = OLDEST_MS - HOUSE_WAITS_MS - WAY_MS;
/** A picture of so many seconds, which somebody else has just asked for, is as good as a new one. */
const FRESH_S = 2;
/** A box that cannot give pictures faster is not asked faster. */
const LEAST_MS = 1_000;
const AFTER_A_CHANGE_MS = 1_200;

/** Screen and output to its last good picture, so that going from view to view does not begin with nothing. */
const kept = new Map();

const insight = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries)
      target.dispatchEvent(new CustomEvent('sight', { detail: isIntersecting }));
  },
  { rootMargin: '100px' },
);

async function fetchPicture(live, screen, output, fresh) {
  const query = new URLSearchParams({ fresh, ...(output !== undefined && { output }) });
  const response = await ask('GET', `${live.path('screens', screen)}/picture?${query}`, {
    headers: { Accept: 'image/*' },
    patience: 15_000,
  });
  const blob = await response.blob();
  // The two dates are both the house's, so a wrong clock here does not make a picture old.
  const told = Date.parse(response.headers.get('Last-Modified') ?? '');
  const now = Date.parse(response.headers.get('Date') ?? '') || Date.now();
  const age = Number.isNaN(told) ? 0 : Math.max(0, now - told);
  const url = URL.createObjectURL(blob);
  const decoded = new Image();
  decoded.src = url;
  try {
    await decoded.decode();
  } catch (error) {
    URL.revokeObjectURL(url);
    throw error;
  }
  return { url, at: Date.now() - age };
}

/** `{ element, update(), close() }` for a screen of a house: for the output at this place among those of its box. */
export function livePicture(live, screen, place = 0) {
  const img = h('img', { alt: '', hidden: true });
  const blank = h('div', { class: 'blank' }, icon('screens'), h('span', {}));
  const age = h('span', { class: 'age', hidden: true });
  const element = h('div', { class: 'picture' }, img, blank, age);
  let visible = false;
  let timer;
  /** When the timer ends. */
  let due = Infinity;
  let busy = false;
  let closed = false;
  let showing;
  /** When the screen last went to something else. */
  let changed = -Infinity;
  /** How often in a row there was no picture, or only an old one. */
  let vain = 0;

  const online = () => live.reports[screen]?.online === true;
  /** The output's name; nothing for the first, which needs none, so that it is there before the document is. */
  const output = () => (place === 0 ? undefined : outputsOf(live.document, screen)[place]);
  const key = () => (place === 0 ? screen : `${screen} ${output()}`);

  /** What the box says of the output. */
  function told() {
    const state = live.reports[screen]?.state;
    const name = outputsOf(live.document, screen)[place];
    return { name, ...state?.outputs?.find((known) => known.name === name) };
  }

  /** What the picture is of, for those who do not see it. */
  function description() {
    const names = outputsOf(live.document, screen);
    const name = live.document?.screens?.[screen]?.name ?? screen;
    const state = live.reports[screen]?.state;
    const what = place === 0 ? state?.title || title(live.document, state?.item) : title(live.document, told().item);
    const which = names.length > 1 ? `, ${names[place]}` : '';
    return `${online() ? 'Live picture of' : 'Last picture of'} ${name}${which}${what ? `: ${what}` : ''}`;
  }

  function show() {
    const picture = kept.get(key());
    const report = live.reports[screen];
    const { word } = condition(report);
    const dark = report?.state?.power === 'off' || report?.state?.state === 'standby';
    element.classList.toggle('off', online() && dark);
    element.classList.toggle('away', !online());
    img.hidden = !picture;
    blank.hidden = Boolean(picture);
    text(blank.lastChild, online() ? 'No picture yet' : word);
    if (!picture) return;
    if (img.getAttribute('src') !== picture.url) img.src = picture.url;
    attribute(img, 'alt', description());
    const ms = Date.now() - picture.at;
    const old = ms > OLDEST_MS;
    age.hidden = !old;
    const since = ms < 60_000 ? `${lasting(Math.round(ms / 1000) * 1000)} ago` : ago(picture.at);
    if (old) text(age, `Picture from ${since}`);
  }

  async function refresh(fresh = FRESH_S) {
    clearTimeout(timer);
    due = Infinity;
    if (closed || busy || !visible || document.hidden) return;
    busy = true;
    const begun = Date.now();
    const wanted = key();
    vain += 1;
    try {
      // An offline screen has one last picture; it is asked for once.
      if (online() || !kept.has(wanted)) {
        const picture = await fetchPicture(live, screen, output(), fresh);
        const old = kept.get(wanted);
        kept.set(wanted, picture);
        if (closed && old === undefined) return;
        if (picture.at + DUE_MS - Date.now() >= LEAST_MS) vain = 0;
        if (old) setTimeout(() => URL.revokeObjectURL(old.url), 1000);
      }
    } catch {
      // The last good picture stays, and its age says the rest.
    } finally {
      busy = false;
    }
    show();
    schedule(vain ? Math.min(DUE_MS, LEAST_MS * 2 ** (vain - 1)) : kept.get(wanted).at + DUE_MS - Date.now());
    if (begun < changed + AFTER_A_CHANGE_MS) afterChange();
  }

  /** Asks after so many milliseconds, unless that is done sooner anyhow. */
  function schedule(ms, fresh) {
    const then = Date.now() + ms;
    if (closed || then >= due) return;
    due = then;
    clearTimeout(timer);
    timer = setTimeout(() => refresh(fresh), ms);
  }

  const afterChange = () => schedule(Math.max(LEAST_MS, changed + AFTER_A_CHANGE_MS - Date.now()), 1);

  const woken = () => {
    show();
    refresh();
  };
  element.addEventListener('sight', (event) => {
    visible = event.detail;
    if (visible) woken();
  });
  document.addEventListener('visibilitychange', woken);
  insight.observe(element);

  return {
    element,
    update() {
      const state = live.reports[screen]?.state;
      const { name, position, item } = told();
      const all = [state?.state, state?.power, state?.position, state?.item, state?.playlist, name, position, item];
      const now = `${online()} ${all.join(' ')}`;
      if (showing !== undefined && showing !== now) {
        changed = Date.now();
        afterChange();
      }
      showing = now;
      show();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      insight.unobserve(element);
      document.removeEventListener('visibilitychange', woken);
    },
  };
}

/** A still of an item: the image itself, or the first moment of the video. */
export function thumbnail(source, kind) {
  if (!source) return h('span', { class: 'thumb' }, icon('media'));
  if (kind === 'video') {
    const video = h('video', {
      src: `${source.src}#t=0.1`,
      preload: 'metadata',
      playsinline: true,
      tabindex: '-1',
      'aria-hidden': 'true',
      muted: true,
    });
    return h('span', { class: 'thumb' }, video);
  }
  return h('span', { class: 'thumb' }, h('img', { src: source.src, alt: '', loading: 'lazy', decoding: 'async' }));
}
