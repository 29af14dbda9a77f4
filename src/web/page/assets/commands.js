// The buttons that tell a screen, a group or the whole house what to do.

import { attribute, fill, h } from './dom.js';
import { saving } from './fields.js';
import { icon } from './icons.js';

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

/**
 * A bar of commands. `of` is who is told, in words ("Foyer"); `report()` gives the report of a single screen, or nothing
 * for several; `possible()` says whether anybody hears.
 */
export function commandBar({ live, kind, id, of, report = () => undefined, possible = () => true, mayEdit }) {
  const tell = (command, done) => saving(() => live.command(kind, id, command), done);
  const several = kind !== 'screens';
  const playing = () => report()?.state?.state === 'playing';
  const lit = () => report()?.state?.power !== 'off';
  const to = () => of();

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
      run: () => tell({ command: 'display', power: lit() ? 'off' : 'on' }, `${to()}: display ${lit() ? 'off' : 'on'}`),
    });
  const identify = button({
    name: 'identify',
    label: 'Identify',
    run: () =>
      tell(
        { command: 'identify' },
        several ? 'Every screen shows its name for a moment' : `${to()} shows its name for a moment`,
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
      const name = to();
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
