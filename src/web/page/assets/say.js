// Spoken and shown messages. Screen readers hear them by their live regions; in an open dialog they appear inside it.

import { h } from './dom.js';
import { icon } from './icons.js';

function region(kind) {
  const dialogs = document.querySelectorAll('dialog[open]');
  const host = dialogs.length > 0 ? dialogs[dialogs.length - 1] : document;
  return host.querySelector(`.toasts-${kind}`) ?? document.querySelector(`.toasts-${kind}`);
}

function toast(kind, message, seconds) {
  const place = region(kind);
  for (const old of place.children) if (old.dataset.message === message) old.remove();
  const close = h(
    'button',
    { type: 'button', class: 'icon-button small', 'aria-label': 'Dismiss the message' },
    icon('close'),
  );
  const element = h('div', { class: `toast toast-${kind}`, 'data-message': message }, h('p', {}, message), close);
  close.addEventListener('click', () => element.remove());
  place.append(element);
  setTimeout(() => element.remove(), seconds * 1000);
}

/** Says something when there is a pause, and shows it for a moment. */
export function say(message) {
  toast('polite', message, 5);
}

/** Says at once why something did not work. */
export function alarm(message) {
  toast('assertive', message, 15);
}

/** Tells only screen readers, as for a row that moved before one's eyes. */
export function whisper(message) {
  const place = document.getElementById('whisper');
  place.textContent = place.textContent === message ? `${message}\u00a0` : message;
}

/** The two live regions, for a dialog of its own. */
export function regions() {
  return h(
    'div',
    { class: 'toasts' },
    h('div', { class: 'toasts-polite', role: 'status', 'aria-live': 'polite' }),
    h('div', { class: 'toasts-assertive', role: 'alert', 'aria-live': 'assertive' }),
  );
}
