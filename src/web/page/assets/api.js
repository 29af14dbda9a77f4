// Requests to the house and what their failures mean in plain words.

/** How long the house may take to answer, in milliseconds. */
export const PATIENCE_MS = 8000;

/** A request that did not succeed: `kind` is "offline", "timeout" or "refused" (then with the status). */
export class ApiError extends Error {
  constructor(kind, status, detail, key) {
    super(detail ?? kind);
    this.kind = kind;
    this.status = status;
    this.detail = detail;
    this.key = key;
  }
}

function csrf() {
  const found = document.cookie.split('; ').find((part) => part.startsWith('musebox_csrf='));
  return found ? decodeURIComponent(found.slice('musebox_csrf='.length)) : '';
}

/** Sends the reader to the sign-in and back here afterwards. */
export function toSignIn() {
  const next = location.pathname + location.search;
  location.assign(next === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(next)}`);
}

/**
 * Asks the house; `path` is below /api/v1. `json` is sent as JSON, `body` as it is, `rev` as If-Match.
 * Resolves with the response when the status is 2xx, else rejects with an `ApiError`.
 */
export async function ask(method, path, { json, body, rev, headers = {}, patience = PATIENCE_MS, signedOut } = {}) {
  const all = { Accept: 'application/json', ...headers };
  if (json !== undefined)
    all['Content-Type'] = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  if (rev !== undefined) all['If-Match'] = `"${rev}"`;
  if (method !== 'GET' && method !== 'HEAD') all['X-CSRF-Token'] = csrf();
  let response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers: all,
      body: json === undefined ? body : JSON.stringify(json),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(patience),
    });
  } catch (error) {
    throw new ApiError(error.name === 'TimeoutError' ? 'timeout' : 'offline');
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401 && !signedOut) toSignIn();
  throw new ApiError('refused', response.status, problem.detail ?? problem.title, problem.key);
}

/** The JSON body of an answer, or nothing where it has none. */
export async function askJson(method, path, options) {
  const response = await ask(method, path, options);
  if (response.status === 204) return undefined;
  try {
    return await response.json();
  } catch {
    throw new ApiError('offline');
  }
}

/** Words of the house as a sentence of the page. */
export const sentence = (words) => {
  const trimmed = (words ?? '').trim();
  if (!trimmed) return '';
  const begun = trimmed[0].toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
};

/** Why a request failed, for a person. */
export function words(error) {
  if (!(error instanceof ApiError)) return 'Something went wrong in this page. Reload it and try again.';
  if (error.kind === 'offline') return 'The house cannot be reached. Check the network and try again.';
  if (error.kind === 'timeout') return 'The house did not answer within 8 seconds. Try again in a moment.';
  switch (error.status) {
    case 403:
      return 'You may look at this house, but not change it. Ask its owner for more rights.';
    case 404:
      return sentence(error.detail) || 'This is not there any more.';
    case 412:
      return 'Someone else changed this meanwhile. What you see now is theirs; change it again if you like.';
    case 413:
      return 'This is too large for the house.';
    case 429:
      return 'Too many tries. Wait a minute, then try again.';
    // No faults of the house: what it says is all there is to know.
    case 503:
    case 504:
    case 507:
      return sentence(error.detail) || `The house cannot do it now (${error.status}).`;
    default:
      if (error.status >= 500)
        return `The house has a fault of its own (${error.status}). ${sentence(error.detail)}`.trim();
      return sentence(error.detail) || `The house refused (${error.status}).`;
  }
}
