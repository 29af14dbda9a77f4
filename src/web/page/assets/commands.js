// The buttons that tell a screen, a group or the whole house what to do.

import { sentence, words } from './api.js';
import { attribute, fill, h } from './dom.js';
import { icon } from './icons.js';
import { alarm, say } from './say.js';

function button({ name, label, run, extra }) {
  const element = h('button', {
    type: 'button',
    class: `icon-button${extra ? ` ${extra}` : ''}`,
    'data-command': name,
    onclick: async () => {
      if (element.getAttribute('aria-disabled') === 'true') return;
      element.classList.add('busy');
      await run();
      element.classList.remove('busy');
    },
  });
  const draw = (words, drawn) => {
    if (element.dataset.icon !== drawn) fill(element, icon(drawn));
    element.dataset.icon = drawn;
    attribute(element, 'aria-label', words);
    attribute(element, 'title', words);
  };
  draw(label, name);
  return { element, draw };
}

/** What the house answered to a command, in words: `{ wrong, mild }`, both empty where everybody obeyed. */
function answerInWords(live, { screens = [], waiting = [], offline = [], refused = {}, error } = {}) {
  const name = (id) => live.document?.screens?.[id]?.name || id;
  const names = (ids) => ids.map(name).join(', ');
  const nobody = offline.length > 0 && screens.length === 0;
  const wrong = [
    error && sentence(error),
    ...Object.entries(refused).map(([id, why]) => `${name(id)} refused: ${sentence(why)}`),
    nobody && `Nobody was told: ${names(offline)} not connected.`,
  ];
  const mild = [
    waiting.length > 0 && `No answer yet from ${names(waiting)}.`,
    offline.length > 0 && !nobody && `Not connected: ${names(offline)}.`,
  ];
  return { wrong: wrong.filter(Boolean).join(' '), mild: mild.filter(Boolean).join(' ') };
}

/** Gives a command and says what came of it; `done` is said when everybody obeyed. */
async function order(live, kind, id, command, done) {
  try {
    const { wrong, mild } = answerInWords(live, await live.command(kind, id, command));
    if (wrong) alarm([wrong, mild].filter(Boolean).join(' '));
    else if (mild || done) say(mild || done);
  } catch (error) {
    alarm(words(error));
  }
}

/**
 * A bar of commands. `of` is who is told, in words ("Foyer"); `report()` gives the report of a single screen, or nothing
 * for several; `possible()` says whether anybody hears.
 */
export function commandBar({ live, kind, id, of, report = () => undefined, possible = () => true, mayEdit }) {
  const tell = (command, done) => order(live, kind, id, command, done);
  const several = kind !== 'screens';
  const playing = () => report()?.state?.state === 'playing';
  const lit = () => report()?.state?.power !== 'off';

  const previous = button({ name: 'previous', label: 'Previous', run: () => tell({ command: 'previous' }) });
  const next = button({ name: 'next', label: 'Next', run: () => tell({ command: 'next' }) });
  const stop = button({ name: 'stop', label: 'Stop', run: () => tell({ command: 'stop' }) });
  const play = button({
    name: 'play',
    label: 'Play',
    extra: 'main',
    run: () => tell({ command: !several && playing() ? 'pause' : 'play' }),
  });
  const pause = several && button({ name: 'pause', label: 'Pause', run: () => tell({ command: 'pause' }) });
  const power =
    !several &&
    button({
      name: 'power',
      label: 'Display off',
      run: () => tell({ command: 'display', power: lit() ? 'off' : 'on' }, `${of()}: display ${lit() ? 'off' : 'on'}`),
    });
  const identify = button({
    name: 'identify',
    label: 'Identify',
    run: () =>
      tell(
        { command: 'identify' },
        several ? 'Every screen shows its name for a moment' : `${of()} shows its name for a moment`,
      ),
  });
  const all = [previous, play, pause, next, stop, power, identify].filter(Boolean);
  const element = h(
    'div',
    { class: 'commands', role: 'group' },
    all.map((part) => part.element),
  );

  return {
    element,
    update() {
      const name = of();
      attribute(element, 'aria-label', `Commands for ${name}`);
      previous.draw(`Previous: ${name}`, 'previous');
      next.draw(`Next: ${name}`, 'next');
      stop.draw(`Stop: ${name}`, 'stop');
      identify.draw(`Identify: ${name}`, 'identify');
      const goes = !several && playing();
      play.draw(`${goes ? 'Pause' : 'Play'}: ${name}`, goes ? 'pause' : 'play');
      if (pause) pause.draw(`Pause: ${name}`, 'pause');
      if (power) power.draw(`${lit() ? 'Display off' : 'Display on'}: ${name}`, 'power');
      // Not the property `disabled`: a button that is just held must not lose the focus when its screen goes.
      const dead = !mayEdit || !possible();
      for (const part of all) attribute(part.element, 'aria-disabled', dead ? 'true' : undefined);
    },
  };
}
