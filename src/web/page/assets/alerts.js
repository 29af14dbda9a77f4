// Who is told when a screen goes silent or dark.

import { ask, words } from './api.js';
import { freshId, h } from './dom.js';
import { alarm, say } from './say.js';
import { whenStale } from './stale.js';

const addresses = (text) => text.split(/[\s,;]+/).filter(Boolean);
/** Whether two are the same alerts. */
const same = (one, other) =>
  String(one.email) === String(other.email) &&
  (one.webhook ?? '') === (other.webhook ?? '') &&
  one.silent_after_s === other.silent_after_s;

export function alertsPanel(live) {
  const path = `/houses/${live.id}/alerts`;
  const id = freshId('alerts');
  const field = (label, hint, props) => {
    const key = freshId('alert');
    const input = h('input', { id: key, 'aria-describedby': `${key}-hint`, autocomplete: 'off', ...props });
    return {
      input,
      element: h(
        'div',
        { class: 'field' },
        h('label', { for: key }, label),
        input,
        h('span', { class: 'hint', id: `${key}-hint` }, hint),
      ),
    };
  };
  const email = field('E-mail addresses', 'Several with commas between.', { type: 'email', multiple: true });
  const webhook = field('Webhook', 'An address that gets a JSON message.', { type: 'url', placeholder: 'https://' });
  const minutes = field('After minutes of silence', 'A restart takes about one minute.', {
    type: 'number',
    min: '1',
    max: '1440',
    step: '1',
    required: true,
  });
  const submit = h('button', { type: 'submit', class: 'button primary', disabled: true }, 'Save alerts');
  const form = h(
    'form',
    { class: 'form' },
    h('div', { class: 'fields' }, email.element, webhook.element, minutes.element),
    h('div', { class: 'actions' }, submit),
  );

  // Nothing can be typed before what is there is known, and shown.
  const inputs = [email.input, webhook.input, minutes.input];
  for (const input of inputs) input.disabled = true;
  /** The entity tag of what is shown: what somebody else saved meanwhile is not overwritten. */
  let tag;
  /** Counts the saves: an answer that was asked for before one is old. */
  let saves = 0;
  const show = async (response, asked) => {
    const alerts = await response.json();
    // What is being typed is a change of what was there when it was begun.
    if (typed || asked !== saves) return;
    tag = response.headers.get('ETag');
    for (const input of [...inputs, submit]) input.disabled = false;
    email.input.value = (alerts.email ?? []).join(', ');
    webhook.input.value = alerts.webhook ?? '';
    minutes.input.value = String(Math.max(1, Math.round((alerts.silent_after_s ?? 120) / 60)));
  };

  /** What was to be saved when the house did not answer: it may have been. */
  const unanswered = [];
  const put = async (json) => {
    try {
      const saved = await ask('PUT', path, { json, headers: tag ? { 'If-Match': tag } : {} });
      unanswered.length = 0;
      return saved;
    } catch (error) {
      if (error.kind !== 'refused' || error.status >= 500) unanswered.push(json);
      throw error;
    }
  };
  /** Saves; answers the house's answer. That these alerts are saved already, by a request whose answer was lost, is one. */
  const save = async (json) => {
    try {
      return await put(json);
    } catch (error) {
      if (error.status !== 412) throw error;
      const now = await ask('GET', path);
      const saved = await now.json();
      if (same(saved, json)) return now;
      if (!unanswered.some((one) => same(saved, one))) {
        unanswered.length = 0;
        throw error;
      }
      tag = now.headers.get('ETag');
      return await put(json);
    }
  };

  /** What is being typed is not overwritten by what the house has. */
  let typed = false;
  form.addEventListener('input', () => {
    typed = true;
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    submit.disabled = true;
    saves += 1;
    typed = false;
    const hook = webhook.input.value.trim();
    const json = {
      email: addresses(email.input.value),
      ...(hook && { webhook: hook }),
      silent_after_s: Math.round(Number(minutes.input.value) * 60),
    };
    try {
      const saved = await save(json);
      tag = saved.headers.get('ETag');
      saves += 1;
      say('Alerts saved');
    } catch (error) {
      saves += 1;
      typed = error.status !== 412;
      alarm(words(error));
      if (!typed) await load(true);
    }
    submit.disabled = false;
  });
  async function load(again) {
    const asked = saves;
    try {
      await show(await ask('GET', path), asked);
    } catch (error) {
      // What is shown stays; that the house is away is told elsewhere.
      if (!again) alarm(words(error));
    }
  }
  load();

  return {
    close: whenStale(live, () => load(true)),
    element: h(
      'section',
      { class: 'panel', 'aria-labelledby': id },
      h('h2', { id }, 'Alerts'),
      h('p', { class: 'hint' }, 'Tell somebody when a screen goes silent or dark.'),
      form,
    ),
  };
}
