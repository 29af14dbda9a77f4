// Elements of the page. Text is always set as text, and nothing here writes styles or markup.

/** Makes an element: `h('button', { class: 'quiet', onclick }, 'Play')`. False, null and undefined are left out. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (['value', 'checked', 'disabled', 'indeterminate', 'muted'].includes(key)) element[key] = value;
    else element.setAttribute(key, value === true ? '' : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child);
  }
}

/** Replaces what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

/** Sets a text only where it differs, so that screen readers and selections are left in peace. */
export function text(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** Sets or removes an attribute only where it differs. */
export function attribute(element, name, value) {
  if (value === undefined || value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/**
 * Keeps one child a key, in the order given. `make(key)` returns `{ element, update(value), close?() }`.
 * Children that stay are moved only when their place changed, so that focus, pictures and inputs live on.
 */
export function keyed(container, make) {
  const parts = new Map();
  const update = (entries) => {
    const wanted = new Set(entries.map(([key]) => key));
    for (const [key, part] of parts) {
      if (wanted.has(key)) continue;
      part.close?.();
      part.element.remove();
      parts.delete(key);
    }
    let before = container.firstElementChild;
    for (const [key, value] of entries) {
      let part = parts.get(key);
      if (!part) {
        part = make(key);
        parts.set(key, part);
      }
      part.update?.(value);
      if (part.element === before) before = before.nextElementSibling;
      else container.insertBefore(part.element, before);
    }
  };
  const close = () => parts.forEach((part) => part.close?.());
  return { update, close };
}

/** Rebuilds a part of the page and gives the focus back to the element with the same `data-focus`. */
export function keepingFocus(root, rebuild) {
  const held = root.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  rebuild();
  if (held) root.querySelector(`[data-focus="${CSS.escape(held)}"]`)?.focus();
}

let count = 0;

/** A fresh id for labels and descriptions. */
export function freshId(stem) {
  count += 1;
  return `${stem}-${count}`;
}

/** An input with its label. */
export function field(label, input) {
  input.id = freshId('field');
  return h('div', { class: 'field' }, h('label', { for: input.id }, label), input);
}
