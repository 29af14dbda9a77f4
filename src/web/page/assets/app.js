// The page: which view belongs to the address, the live house behind it, and what goes round them.

import { words } from './api.js';
import { fill, h } from './dom.js';
import { icon } from './icons.js';
import { openHouse } from './live.js';
import { forget, recall, remember } from './memory.js';
import { alarm, say } from './say.js';
import { refreshSession, role, session } from './session.js';
import { drawShell } from './shell.js';
import { whenStale } from './stale.js';
import { groupView } from './views/group.js';
import { housesView } from './views/houses.js';
import { logView } from './views/log.js';
import { mediaView } from './views/media.js';
import { pairView } from './views/pair.js';
import { playlistView } from './views/playlist.js';
import { playlistsView } from './views/playlists.js';
import { screenView } from './views/screen.js';
import { screensView } from './views/screens.js';
import { settingsView } from './views/settings.js';

/** Address, place in the navigation, view; a view with `early` is drawn before the document is there. */
const routes = [
  [/^\/houses\/?$/, undefined, housesView],
  [/^\/houses\/([^/]+)\/?$/, 'screens', screensView, { early: true }],
  [/^\/houses\/([^/]+)\/screens\/([^/]+)$/, 'screens', screenView],
  [/^\/houses\/([^/]+)\/groups\/([^/]+)$/, 'screens', groupView],
  [/^\/houses\/([^/]+)\/pair$/, 'screens', pairView],
  [/^\/houses\/([^/]+)\/playlists$/, 'playlists', playlistsView],
  [/^\/houses\/([^/]+)\/playlists\/([^/]+)$/, 'playlists', playlistView],
  [/^\/houses\/([^/]+)\/media$/, 'media', mediaView],
  [/^\/houses\/([^/]+)\/log$/, 'log', logView],
  [/^\/houses\/([^/]+)\/settings$/, 'settings', settingsView],
];

/** How often the house is asked who one is: a right that was given or taken shows no later than that. */
const ASK_SESSION_MS = 25_000;

const rightsNow = {
  owner: 'You are an owner of this house now: you may do everything.',
  editor: 'You are an editor of this house now: you may change what plays.',
  viewer: 'You are a viewer of this house now: you may look, but not change anything.',
};

const main = document.getElementById('main');
const side = document.getElementById('side');
const banner = document.getElementById('banner');

let live;
let view;
let unsubscribe = () => undefined;
let shown = {};

/** The first address: the house one was in last, else the only one, else the list. */
function beginning() {
  const last = recall('house_last');
  const known =
    session.houses.find(({ id }) => id === last) ?? (session.houses.length === 1 ? session.houses[0] : undefined);
  return known ? `/houses/${known.id}` : '/houses';
}

function match() {
  for (const [pattern, place, make, options = {}] of routes) {
    const found = pattern.exec(location.pathname);
    if (found)
      return {
        place,
        make,
        ...options,
        houseId: found[1] && decodeURIComponent(found[1]),
        id: found[2] && decodeURIComponent(found[2]),
      };
  }
  return undefined;
}

function houseName() {
  return live?.document?.house.name ?? session.houses.find(({ id }) => id === live?.id)?.name ?? 'House';
}

function drawBanner() {
  const away = live?.link === 'offline';
  if (banner.hidden === !away) return;
  banner.hidden = !away;
  fill(
    banner,
    away && icon('offline'),
    away && h('span', {}, 'No connection to the house. You see what was last known; trying again.'),
  );
}

function around(place) {
  const name = live && houseName();
  const now = JSON.stringify([live?.id, name, place, session]);
  if (shown.around === now) return;
  shown.around = now;
  drawShell(side, { houseId: live?.id, name, place });
}

function notice(title, ...children) {
  return { title, element: h('div', { class: 'view' }, h('h1', { tabindex: '-1' }, title), children) };
}

/** Draws the view of the address. `arrived` is set after a navigation: the heading gets the focus. */
function show(arrived) {
  const route = match();
  if (!route) {
    const path = location.pathname === '/' ? beginning() : undefined;
    if (path) return go(path, { replace: true });
  }
  unsubscribe();
  unsubscribe = () => undefined;
  live = route?.houseId ? openHouse(route.houseId) : undefined;
  if (live) {
    remember('house_last', live.id);
    const ends = [live.subscribe(changed), whenStale(live, askSession)];
    unsubscribe = () => ends.forEach((end) => end());
  }
  open(route, arrived);
  return undefined;
}

function open(route, arrived) {
  view?.close?.();
  const waiting = live && !live.document && !route.early;
  shown = { ...shown, route, waiting, arrived, role: live && role(live.id) };
  if (!route)
    view = notice(
      'Nothing here',
      h('p', {}, 'This address leads nowhere. ', h('a', { href: '/houses' }, 'To your houses')),
    );
  else if (live?.missing)
    view = notice(
      'No such house',
      h('p', {}, 'It was removed, or it is not yours. ', h('a', { href: '/houses' }, 'To your houses')),
    );
  else if (waiting)
    view = {
      title: houseName(),
      element: h('div', { class: 'view loading', 'aria-busy': 'true' }, h('p', { class: 'hint' }, 'One moment.')),
    };
  else {
    const mine = live && role(live.id);
    view = route.make({
      live,
      id: route.id,
      go,
      base: live && `/houses/${live.id}`,
      name: houseName,
      refresh: refreshSession,
      mayEdit: mine !== 'viewer',
      mayOwn: mine === 'owner',
      query: new URLSearchParams(location.search),
    });
  }
  fill(main, view.element);
  view.update?.();
  around(route?.place);
  drawBanner();
  head();
  if (arrived && !waiting) {
    window.scrollTo(0, 0);
    (main.querySelector('h1') ?? main).focus({ preventScroll: true });
  }
}

function head() {
  const title = typeof view.title === 'function' ? view.title() : view.title;
  const parts = [title, live && title !== houseName() ? houseName() : undefined, 'musebox'];
  document.title = parts.filter(Boolean).join(' - ');
}

let due;

/** Many messages may come at once; they are drawn together. */
function changed() {
  due ??= setTimeout(() => {
    due = undefined;
    if (!live || live.leaving) return;
    if (live.missing && live.document) {
      leave();
      return;
    }
    if (live.barred) askSession();
    if (live.missing || (shown.waiting && live.document)) open(shown.route, shown.arrived);
    else view.update?.();
    around(shown.route?.place);
    drawBanner();
    head();
  }, 16);
}

/** Goes to an address of the page. */
function go(path, { replace = false } = {}) {
  history[replace ? 'replaceState' : 'pushState'](null, '', path);
  show(!replace);
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href]');
  if (
    !link ||
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  const url = new URL(link.href);
  if (link.classList.contains('skip')) {
    event.preventDefault();
    main.focus();
    return;
  }
  if (
    url.origin !== location.origin ||
    link.target ||
    link.hasAttribute('download') ||
    !/^\/(houses|$)/.test(url.pathname)
  )
    return;
  event.preventDefault();
  go(url.pathname + url.search);
});
window.addEventListener('popstate', () => show(true));

const closeDialogs = () => document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close());

/** Goes out of a house that one may no longer see. */
function leave() {
  const name = houseName();
  closeDialogs();
  live.close();
  if (recall('house_last') === live.id) forget('house_last');
  go('/houses', { replace: true });
  alarm(`You may no longer see ${name}, or it was removed.`);
}

/** Draws the view anew with the role that one has now. */
function takeRole(mine) {
  closeDialogs();
  const held = main.contains(document.activeElement);
  open(shown.route, false);
  if (held) main.querySelector('h1')?.focus({ preventScroll: true });
  if (confirmed) say(rightsNow[mine] ?? 'Your rights in this house have changed.');
}

/** Whether the session is what the house said, or only what was kept from the last time. */
let confirmed = false;
let asking;

/** Asks the house who one is, and shows what is new of it. */
function askSession() {
  asking ??= refreshSession()
    .then(
      () => sessionIsKnown(),
      // One who is not signed in any more is sent there; else the banner tells that the house is away.
      () => undefined,
    )
    .finally(() => {
      asking = undefined;
    });
  return asking;
}

function sessionIsKnown() {
  if (!view) start();
  const first = !confirmed;
  const mine = live && session.houses.find(({ id }) => id === live.id)?.role;
  // A house that is not among one's own from the beginning tells so itself.
  if (live && !mine && (!first || live.barred)) {
    if (!live.missing && !live.leaving) leave();
  } else if (live && role(live.id) !== shown.role) {
    takeRole(mine);
  } else {
    view?.update?.();
  }
  confirmed = true;
  live?.comeBack();
  around(shown.route?.place);
}

// Where a house is open, `whenStale` does.
const askWithoutHouse = () => !live && document.visibilityState === 'visible' && askSession();
setInterval(askWithoutHouse, ASK_SESSION_MS);
document.addEventListener('visibilitychange', askWithoutHouse);

// A code scanned from a screen goes to the house: the only one at once, else the one that is chosen.
function start() {
  if (location.pathname === '/pair') {
    const to = beginning();
    const code = encodeURIComponent(new URLSearchParams(location.search).get('code') ?? '');
    return go(to === '/houses' ? `/houses?pair=${code}` : `${to}/pair?code=${code}`, { replace: true });
  }
  return show(false);
}

if (session.user) start();
refreshSession().then(sessionIsKnown, (error) => {
  if (error.status === 401) return;
  if (!view)
    fill(main, h('div', { class: 'view' }, h('h1', {}, 'The house cannot be reached'), h('p', {}, words(error))));
});
