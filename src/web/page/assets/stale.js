// When what was asked for once may be old: some things of a house are not in its document, and nobody tells the page.

const SOON_MS = 1_500;
/** While the page is looked at nothing is older. */
const AGAIN_MS = 15_000;

/**
 * Calls `again()` when the page is looked at again and every 15 seconds while it is, when the connection to the house
 * is back, and a moment after the house changed; several of these are one. Returns what ends it.
 */
export function whenStale(live, again) {
  let { link, rev } = live;
  let due;
  const soon = () => {
    due ??= setTimeout(() => {
      due = undefined;
      // A page that nobody looks at asks when it is looked at.
      if (document.visibilityState === 'visible') again();
    }, SOON_MS);
  };
  const seen = () => document.visibilityState === 'visible' && again();
  const heard = () => {
    const back = live.link === 'live' && link === 'offline';
    const changed = rev !== undefined && live.rev !== rev;
    ({ link, rev } = live);
    if (back || changed) soon();
  };
  const unsubscribe = live.subscribe(heard);
  document.addEventListener('visibilitychange', seen);
  const regular = setInterval(seen, AGAIN_MS);
  return () => {
    unsubscribe();
    clearTimeout(due);
    clearInterval(regular);
    document.removeEventListener('visibilitychange', seen);
  };
}
