// Questions about a house's environment document. Nothing here changes it.

import { plural } from './words.js';

const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** `[id, resource]` of a map of the document, by name or title. */
export function sorted(map) {
  const label = ([id, { name, title }]) => name || title || id;
  return Object.entries(map ?? {}).sort((a, b) => byName.compare(label(a), label(b)));
}

/** What a screen or group would have if it said nothing of its own. */
export function inherited(document, kind, id, key) {
  const group = kind === 'screens' ? document.groups?.[document.screens?.[id]?.group] : undefined;
  if (group?.[key] !== undefined) return { value: group[key], from: group.name };
  return { value: document.house[key], from: 'the house' };
}

export const title = (document, item) => document?.items?.[item]?.title || item || '';
export const playlistName = (document, id) =>
  document?.playlists?.[id]?.name ?? (id ? 'a playlist that is gone' : 'none');

/** Screens of a group, or those of none. */
export function screensOf(document, group) {
  return sorted(document.screens).filter(
    ([, screen]) => (document.groups?.[screen.group] ? screen.group : undefined) === group,
  );
}

/** All items of a playlist in the order of its montages. */
export function itemsOf(playlist) {
  return (playlist?.montages ?? []).flatMap(({ tracks }) => (tracks ?? []).flatMap(({ items }) => items ?? []));
}

/** What boxes show an image for that says nothing of it. */
const IMAGE_MS = 10_000;

/** How long an item is shown; nothing for a video whose length is not known. */
export const lengthOfItem = (item) => item?.duration_ms ?? (item?.kind === 'image' ? IMAGE_MS : undefined);

/** How long a playlist lasts: each montage as long as its longest track. */
export function lengthOf(document, playlist) {
  const track = ({ items }) => (items ?? []).reduce((sum, id) => sum + (lengthOfItem(document.items?.[id]) ?? 0), 0);
  return (playlist?.montages ?? []).reduce((sum, { tracks }) => sum + Math.max(0, ...(tracks ?? []).map(track)), 0);
}

export function playlistsWith(document, item) {
  return sorted(document.playlists).filter(([, playlist]) => itemsOf(playlist).includes(item));
}

/** Names of the outputs that the house's screens have, "main" first. */
export function outputs(document) {
  const names = new Set(Object.values(document.screens ?? {}).flatMap((screen) => screen.outputs ?? []));
  names.delete('main');
  return ['main', ...[...names].sort(byName.compare)];
}

/** Names of the outputs of a screen's box; the first is the one that is meant where none is named. */
export const outputsOf = (document, screen) => document?.screens?.[screen]?.outputs ?? [];

/** The item's file that the page previews. */
export function file(item) {
  return item?.formats?.source ?? Object.values(item?.formats ?? {})[0];
}

/** "3 screens: 2 playing, 1 offline" */
export function summary(document, reports) {
  const ids = Object.keys(document.screens ?? {});
  if (ids.length === 0) return 'No screen yet';
  const offline = ids.filter((id) => !reports[id]?.online).length;
  const playing = ids.filter((id) => reports[id]?.online && reports[id].state?.state === 'playing').length;
  const parts = [`${playing === ids.length && ids.length > 1 ? 'all' : playing} playing`];
  if (offline) parts.push(`${offline} offline`);
  return `${plural(ids.length, 'screen')}: ${parts.join(', ')}`;
}
