// The sign-in: sends the form as JSON and goes where one wanted to go.

import { ask, words } from './api.js';

const form = document.getElementById('sign-in');
const problem = document.getElementById('problem');
const button = form.querySelector('button');

/** Only paths of this house are followed, never another address. */
function next() {
  const wanted = new URLSearchParams(location.search).get('next') ?? '/';
  const url = new URL(wanted, location.origin);
  return url.origin === location.origin ? url.pathname + url.search : '/';
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
    location.assign(next());
  } catch (error) {
    problem.textContent = error.status === 401 ? 'The address or the password is not right.' : words(error);
    button.disabled = false;
    form.password.select();
    form.password.focus();
  }
});

form.email.focus();
