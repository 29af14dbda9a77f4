// The live picture of a screen: fetched anew while it is in sight, the last good one kept and its age told.

import { ask } from './api.js';
import { attribute, h, text } from './dom.js';
import { icon } from './icons.js';
import { title } from './environment.js';
import { ago, condition } from './words.js';

const EVERY_MS = 8_000;
const AFTER_A_CHANGE_MS = 1_200;
const OLD_MS = 30_000;

/** Screen id to its last good picture, so that going from view to view does not begin with nothing. */
const kept = new Map();

const insight = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries)
      target.dispatchEvent(new CustomEvent('sight', { detail: isIntersecting }));
  },
  { rootMargin: '100px' },
);

async function fetchPicture(live, screen, fresh) {
  const response = await ask('GET', `${live.path('screens', screen)}/picture?fresh=${fresh}`, {
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

/** `{ element, update(), close() }` for a screen of a house. */
export function livePicture(live, screen) {
  const img = h('img', { alt: '', hidden: true });
  const blank = h('div', { class: 'blank' }, icon('screens'), h('span', {}));
  const age = h('span', { class: 'age', hidden: true });
  const element = h('div', { class: 'picture' }, img, blank, age);
  let visible = false;
  let timer;
  let busy = false;
  let closed = false;
  let showing;

  const online = () => live.reports[screen]?.online === true;

  function show() {
    const picture = kept.get(screen);
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
    const name = live.document?.screens?.[screen]?.name ?? screen;
    const what = report?.state?.title || title(live.document, report?.state?.item);
    attribute(img, 'alt', `${online() ? 'Live picture of' : 'Last picture of'} ${name}${what ? `: ${what}` : ''}`);
    const old = Date.now() - picture.at > OLD_MS;
    age.hidden = !old;
    if (old) text(age, `Picture from ${ago(picture.at)}`);
  }

  async function refresh(fresh) {
    clearTimeout(timer);
    if (closed || busy || !visible || document.hidden) return;
    busy = true;
    try {
      // An offline screen has one last picture; it is asked for once.
      if (online() || !kept.has(screen)) {
        const picture = await fetchPicture(live, screen, fresh);
        const old = kept.get(screen);
        kept.set(screen, picture);
        if (closed && old === undefined) return;
        show();
        if (old) setTimeout(() => URL.revokeObjectURL(old.url), 1000);
      }
    } catch {
      // The last good picture stays, and its age says the rest.
    } finally {
      busy = false;
    }
    show();
    schedule(EVERY_MS);
  }

  function schedule(ms, fresh = 10) {
    clearTimeout(timer);
    if (!closed) timer = setTimeout(() => refresh(fresh), ms);
  }

  const woken = () => refresh(10);
  element.addEventListener('sight', (event) => {
    visible = event.detail;
    if (visible) refresh(10);
  });
  document.addEventListener('visibilitychange', woken);
  insight.observe(element);

  return {
    element,
    update() {
      const state = live.reports[screen]?.state;
      const now = `${online()} ${state?.state} ${state?.power} ${state?.position} ${state?.item} ${state?.playlist}`;
      if (showing !== undefined && showing !== now) schedule(AFTER_A_CHANGE_MS, 1);
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
