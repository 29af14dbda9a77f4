// Dialogs: <dialog> keeps the focus inside and gives it back; Escape and the backdrop close it.

import { words } from './api.js';
import { fill, freshId, h } from './dom.js';
import { icon } from './icons.js';
import { regions } from './say.js';

/** Opens a dialog with a heading. `content(close)` returns what it holds; resolves with what it was closed with. */
export function dialog(heading, content, { wide = false, closed } = {}) {
  return new Promise((resolve) => {
    const id = freshId('dialog');
    let result;
    const element = h('dialog', { class: wide ? 'wide' : undefined, 'aria-labelledby': id });
    const close = (value) => {
      result = value;
      element.close();
    };
    fill(
      element,
      h(
        'div',
        { class: 'dialog-head' },
        h('h2', { id, tabindex: '-1' }, heading),
        h(
          'button',
          { type: 'button', class: 'icon-button', 'aria-label': 'Close', onclick: () => close() },
          icon('close'),
        ),
      ),
      content(close),
      regions(),
    );
    element.addEventListener('close', () => {
      element.remove();
      closed?.();
      resolve(result);
    });
    element.addEventListener('mousedown', (event) => event.target === element && close());
    document.body.append(element);
    element.showModal();
    (element.querySelector('[autofocus]') ?? element.querySelector('h2')).focus();
  });
}

/**
 * A form in a dialog: `fields` come first, then the buttons. `send(form)` does the work; while it fails, the dialog stays
 * and says why. Resolves with what `send` returned, or with nothing when it was closed.
 */
export function formDialog(heading, fields, { action = 'Save', danger = false, send }) {
  return dialog(heading, (close) => {
    const problem = h('p', { class: 'problem', role: 'alert' });
    const submit = h('button', { type: 'submit', class: danger ? 'button danger' : 'button primary' }, action);
    const form = h(
      'form',
      { class: 'form' },
      fields,
      problem,
      h(
        'div',
        { class: 'actions' },
        h('button', { type: 'button', class: 'button', onclick: () => close() }, 'Cancel'),
        submit,
      ),
    );
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      submit.disabled = true;
      problem.textContent = '';
      try {
        close((await send(form)) ?? true);
      } catch (error) {
        problem.textContent = words(error);
        submit.disabled = false;
      }
    });
    return form;
  });
}

/** Asks before something is lost. `send` does it. */
export function confirmDialog(heading, sentence, action, send) {
  return formDialog(heading, h('p', {}, sentence), { action, danger: true, send });
}

/** Asks for one line of text. */
export function nameDialog(heading, label, value, action, send) {
  const id = freshId('name');
  const input = h('input', {
    id,
    type: 'text',
    value,
    required: true,
    maxlength: '200',
    autofocus: true,
    autocomplete: 'off',
  });
  const field = h('div', { class: 'field' }, h('label', { for: id }, label), input);
  queueMicrotask(() => input.select());
  return formDialog(heading, field, { action, send: () => send(input.value.trim()) });
}
