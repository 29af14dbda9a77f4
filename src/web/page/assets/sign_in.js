// The sign-in: sends the form as JSON and goes where one wanted to go.

import { ask, words } from './api.js';
import { forgetSession } from './session.js';

const form = document.getElementById('sign-in');
const problem = document.getElementById('problem');
const button = form.querySelector('button');

/** Only paths of this house are followed, never another address. */
function next() {
  const wanted = new URLSearchParams(location.search).get('next') ?? '/';
  if (!URL.canParse(wanted, location.origin)) return '/';
  const url = new URL(wanted, location.origin);
  // The path alone could be an address itself: that of "/.//example.org" is "//example.org".
  const own = url.origin === location.origin && !url.pathname.startsWith('//');
  return own ? url.href : '/';
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  problem.textContent = '';
  button.disabled = true;
  try {
    await ask('POST', '/sign-in', {
      json: { email: form.email.value.trim(), password: form.password.value },
      signedOut: true,
    });
    forgetSession();
    location.assign(next());
  } catch (error) {
    problem.textContent = error.status === 401 ? 'The address or the password is not right.' : words(error);
    button.disabled = false;
    form.password.select();
    form.password.focus();
  }
});

/** Fills in what a link says, as a demonstration's, and takes it out of the address. Nothing is sent by itself. */
function fillIn() {
  const said = new URLSearchParams(location.hash.slice(1));
  const [email, password] = [said.get('email'), said.get('password')];
  if (email === null || password === null) return false;
  history.replaceState(null, '', location.pathname + location.search);
  form.email.value = email;
  form.password.value = password;
  button.focus();
  return true;
}

// Such a link, followed while this page is shown, does not load it anew.
window.addEventListener('hashchange', fillIn);
if (!fillIn()) form.email.focus();
