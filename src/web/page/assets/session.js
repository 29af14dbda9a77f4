// Who is signed in and which houses they have. The last answer is kept, so that the page is whole before the next one.

import { ask, askJson } from './api.js';

const STORE = 'house_session';

function kept() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? undefined;
  } catch {
    return undefined;
  }
}

/** `{ user, houses }`, at first as it was the last time. */
export const session = { user: undefined, houses: [], ...kept() };

/** Asks who one is; resolves with whether anything is new. */
export async function refreshSession() {
  const { user, houses } = await askJson('GET', '/me');
  const now = JSON.stringify({ user, houses });
  if (now === JSON.stringify({ user: session.user, houses: session.houses })) return false;
  Object.assign(session, { user, houses });
  try {
    localStorage.setItem(STORE, now);
  } catch {
    // Without storage, the next visit begins with less.
  }
  return true;
}

export async function signOut() {
  try {
    await ask('POST', '/sign-out', { signedOut: true });
  } finally {
    localStorage.removeItem(STORE);
    location.assign('/sign-in');
  }
}

/** The role in a house, "owner" until it is known: the house itself refuses what one may not do. */
export function role(houseId) {
  return session.houses.find(({ id }) => id === houseId)?.role ?? 'owner';
}
