// Who is signed in and which houses they have. The last answer is kept, so that the page is whole before the next one.

import { ask, askJson } from './api.js';
import { forget, recall, remember } from './memory.js';

const STORE = 'house_session';

/** `{ user, houses }`, at first as it was the last time. */
export const session = { user: undefined, houses: [], ...recall(STORE) };

/** Asks who one is; resolves with whether anything is new. */
export async function refreshSession() {
  const { user, houses } = await askJson('GET', '/me');
  if (JSON.stringify({ user, houses }) === JSON.stringify({ user: session.user, houses: session.houses })) return false;
  Object.assign(session, { user, houses });
  remember(STORE, { user, houses });
  return true;
}

/** Somebody else may come in now: what was kept of the one before is none of theirs. */
export const forgetSession = () => forget(STORE);

export async function signOut() {
  try {
    await ask('POST', '/sign-out', { signedOut: true });
  } finally {
    forgetSession();
    location.assign('/sign-in');
  }
}

/** The role in a house, "owner" until it is known: the house itself refuses what one may not do. */
export function role(houseId) {
  return session.houses.find(({ id }) => id === houseId)?.role ?? 'owner';
}
