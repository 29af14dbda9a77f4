// Pairing: the code on the screen, the number to compare, the name of the new screen.

import { askJson, words } from '../api.js';
import { fill, h } from '../dom.js';
import { icon } from '../icons.js';
import { say } from '../say.js';

const CODE_CHARS = 8;
const TRIES = 5;
const AGAIN_MS = 1_000;

/** Capitals without what people put between: "abcd efgh" is ABCDEFGH. */
export const tidy = (code) =>
  code
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '')
    .slice(0, CODE_CHARS);
const shaped = (code) => (code.length > 4 ? `${code.slice(0, 4)}-${code.slice(4)}` : code);

/** Who shows a code. The number to compare comes a moment later where the box has just begun to show it. */
async function lookUp(path, code) {
  for (let turn = 1; ; turn += 1) {
    const found = await askJson('POST', `${path}/look-up`, { json: { code } });
    if (found.check || turn === TRIES) return found;
    await new Promise((resolve) => {
      setTimeout(resolve, AGAIN_MS);
    });
  }
}

export function pairView(ctx) {
  const { live, base, go, query, mayEdit } = ctx;
  const path = `/houses/${live.id}/enrolments`;
  const step = h('div', { class: 'panel pairing' });
  const element = h(
    'div',
    { class: 'view narrow' },
    h('a', { class: 'back', href: base }, icon('back'), 'Screens'),
    h('h1', { tabindex: '-1' }, 'Add a screen'),
    step,
  );

  function codeStep(code = '', trouble = '') {
    const problem = h('p', { class: 'problem', role: 'alert' }, trouble);
    const submit = h('button', { type: 'submit', class: 'button primary large', disabled: !mayEdit }, 'Look it up');
    const input = h('input', {
      type: 'text',
      id: 'code',
      class: 'code',
      value: shaped(tidy(code)),
      required: true,
      autocomplete: 'off',
      autocapitalize: 'characters',
      spellcheck: 'false',
      maxlength: '16',
      'aria-describedby': 'code-hint',
      placeholder: 'ABCD-EFGH',
      oninput: () => {
        const end = input.selectionStart === input.value.length;
        if (end) input.value = shaped(tidy(input.value));
      },
    });
    const form = h(
      'form',
      { class: 'form' },
      h(
        'div',
        { class: 'field' },
        h('label', { for: 'code' }, 'Code on the screen'),
        input,
        h('span', { class: 'hint', id: 'code-hint' }, `Eight letters. The screen will belong to ${ctx.name()}.`),
      ),
      problem,
      submit,
    );
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const wanted = tidy(input.value);
      problem.textContent = wanted.length < CODE_CHARS ? 'The code has eight letters.' : '';
      if (problem.textContent) return input.focus();
      submit.disabled = true;
      try {
        checkStep(await lookUp(path, wanted));
      } catch (error) {
        problem.textContent =
          error.status === 404
            ? 'No screen shows this code now. Compare it letter by letter; a code is new every ten minutes.'
            : words(error);
        submit.disabled = false;
        input.focus();
      }
      return undefined;
    });
    fill(step, form);
    return { form, input };
  }

  function checkStep({ id, name, version, outputs, check }) {
    const problem = h('p', { class: 'problem', role: 'alert' });
    const input = h('input', {
      type: 'text',
      id: 'screen-name',
      required: true,
      maxlength: '200',
      autocomplete: 'off',
      placeholder: 'Foyer',
    });
    const heading = h('h2', { tabindex: '-1', id: 'compare' }, 'Is this number on the screen?');
    const yes = h(
      'button',
      { type: 'submit', class: 'button primary large' },
      icon('check'),
      'The number is the same: add it',
    );
    const no = h('button', { type: 'button', class: 'button large danger-quiet' }, 'It differs: refuse');
    const busy = (state) => {
      yes.disabled = state;
      no.disabled = state;
    };
    const form = h(
      'form',
      { class: 'form', 'aria-labelledby': 'compare' },
      heading,
      h('p', { class: 'check-number' }, check ?? 'Not known yet: wait for it, and begin again'),
      h(
        'p',
        { class: 'hint' },
        [
          `The box calls itself ${name}`,
          version && `version ${version}`,
          outputs?.length > 1 && `outputs ${outputs.join(', ')}`,
        ]
          .filter(Boolean)
          .join(', '),
      ),
      h('div', { class: 'field' }, h('label', { for: 'screen-name' }, 'Name of the screen'), input),
      problem,
      yes,
      no,
    );
    const answer = async (work) => {
      busy(true);
      problem.textContent = '';
      try {
        await work();
      } catch (error) {
        problem.textContent =
          error.status === 404 || error.status === 410
            ? 'The code has run out. Begin again with the one that the screen shows now.'
            : words(error);
        busy(false);
      }
    };
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      answer(async () => {
        const { screen } = await askJson('POST', `${path}/${id}/approve`, { json: { name: input.value.trim() } });
        say(`${input.value.trim()} belongs to the house now`);
        // The document brings the new screen in its own time; the list shows it as soon as it does.
        go(live.document?.screens?.[screen] ? `${base}/screens/${encodeURIComponent(screen)}` : base, {
          replace: true,
        });
      });
    });
    no.addEventListener('click', () =>
      answer(async () => {
        await askJson('POST', `${path}/${id}/refuse`);
        codeStep('', 'The box was refused and told so.').input.focus();
      }),
    );
    yes.disabled = !check;
    fill(step, form);
    heading.focus();
  }

  const { form, input } = codeStep(query.get('code') ?? '');
  if (mayEdit && tidy(query.get('code') ?? '').length === CODE_CHARS) queueMicrotask(() => form.requestSubmit());
  else queueMicrotask(() => input.focus());
  return { title: 'Add a screen', element };
}
