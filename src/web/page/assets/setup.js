// The set-up of the first operator, or of an invited one, by a one-time link.

import { ask, words } from './api.js';

const form = document.getElementById('setup');
const problem = document.getElementById('problem');
const button = form.querySelector('button');
const query = new URLSearchParams(location.search);
const token = query.get('token') ?? '';

// The token does not stay in the address bar, nor in what the browser remembers.
history.replaceState(null, '', '/setup');
if (query.get('email')) form.elements.email.value = query.get('email');

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  problem.textContent = '';
  button.disabled = true;
  const { name, email, password } = form.elements;
  const json = { link_token: token, name: name.value.trim(), email: email.value.trim(), password: password.value };
  try {
    await ask('POST', '/setup', { json, signedOut: true });
    location.assign('/');
  } catch (error) {
    const spent = [401, 404, 410].includes(error.status);
    problem.textContent = spent ? 'This link was used already or is too old. Ask for a new one.' : words(error);
    button.disabled = false;
    form.elements[error.key]?.focus?.();
  }
});

form.elements.name.focus();
