// The set-up by a one-time link: of the first operator, or of somebody who was invited to a house. Of those who are
// invited, one who has an account already signs in with its password.

import { ask, askJson, words } from './api.js';
import { forgetSession } from './session.js';

const form = document.getElementById('setup');
const fields = document.getElementById('fields');
const problem = document.getElementById('problem');
const lead = document.getElementById('lead');
const again = document.getElementById('again');
const hint = document.getElementById('password-hint');
const { name, email, password } = form.elements;
const button = form.querySelector('button[type=submit]');
const query = new URLSearchParams(location.search);
const token = query.get('token') ?? '';

const spent = 'This link was used already or is too old. Ask for a new one.';
const roles = {
  owner: 'an owner, who may do everything',
  editor: 'an editor, who may change what plays',
  viewer: 'a viewer, who may look',
};

/** What the link is for, once that is known; nothing of a first operator. */
let invitation;

// The token does not stay in the address bar, nor in what the browser remembers.
history.replaceState(null, '', '/setup');

function show() {
  fields.hidden = false;
  button.hidden = false;
  const known = invitation?.known === true;
  const house = invitation?.house || 'a house';
  if (invitation) {
    const how = known ? 'Sign in with your password to accept.' : 'Make your account to accept.';
    lead.textContent = `You are invited to ${house} as ${roles[invitation.role] ?? invitation.role}. ${how}`;
    email.value = invitation.email;
    email.readOnly = true;
    button.textContent = known ? 'Sign in and accept' : 'Accept';
  }
  name.closest('.field').hidden = known;
  name.required = !known;
  hint.hidden = known;
  password.autocomplete = known ? 'current-password' : 'new-password';
  if (known) {
    password.removeAttribute('minlength');
    password.removeAttribute('aria-describedby');
  }
  (known ? password : name).focus();
}

/** Asks what the link is for. That of a first operator is no invitation, which only the address in the link tells. */
async function look() {
  problem.textContent = '';
  again.hidden = true;
  try {
    invitation = await askJson('GET', `/invitation?token=${encodeURIComponent(token)}`, { signedOut: true });
    show();
  } catch (error) {
    const none = error.status === 404 || error.status === 410;
    if (none && !query.has('email')) {
      show();
      return;
    }
    problem.textContent = none ? spent : words(error);
    again.hidden = none;
  }
}

/** What went wrong, for a person. */
function reason(error) {
  if (error.status === 401 && invitation?.known) return 'The password is not right.';
  if ([401, 404, 410].includes(error.status)) return spent;
  return words(error);
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  problem.textContent = '';
  button.disabled = true;
  const json = {
    link_token: token,
    ...(!invitation?.known && { name: name.value.trim() }),
    ...(!invitation && { email: email.value.trim() }),
    password: password.value,
  };
  try {
    await ask('POST', '/setup', { json, signedOut: true });
    forgetSession();
    location.assign(invitation ? '/houses' : '/');
  } catch (error) {
    problem.textContent = reason(error);
    button.disabled = false;
    const field = error.status === 401 ? password : form.elements[error.key];
    field?.focus?.();
  }
});

again.addEventListener('click', look);
look();
