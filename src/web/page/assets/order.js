// Rows that are put in order by dragging their grip, or with Alt and the arrow keys. Lists are marked `data-list` with
// their place and `data-id` with what they are, rows `data-row` with what they are, grips `data-grip`; rows may go from
// one list to another of the same root.

const EDGE_PX = 60;
const SCROLL_PX = 12;

const listsOf = (root) => [...root.querySelectorAll('[data-list]')];
const rowsOf = (list) => [...list.children].filter((row) => row.hasAttribute('data-row'));

/**
 * Where a row is: its list and its place in it, and what both of them are. Somebody else may change what is there before
 * the row is put down; then what is there is not what was taken.
 */
export function placeOf(row) {
  const list = row.closest('[data-list]');
  return { list: list.dataset.list, of: list.dataset.id, index: rowsOf(list).indexOf(row), what: row.dataset.row };
}

/** The place one further up or down, over the ends of the lists; nothing at the very end. */
export function neighbour(root, row, by) {
  const lists = listsOf(root);
  const list = row.closest('[data-list]');
  const index = rowsOf(list).indexOf(row) + by;
  if (index >= 0 && index < rowsOf(list).length) return { list: list.dataset.list, of: list.dataset.id, index };
  const next = lists[lists.indexOf(list) + by];
  if (!next) return undefined;
  return { list: next.dataset.list, of: next.dataset.id, index: by < 0 ? rowsOf(next).length : 0 };
}

/**
 * Watches a root; `moved(from, to)` is called with two places, the second counted without the moved row. `rested()` is
 * called after each drag: what was not drawn meanwhile can be.
 */
export function orderable(root, moved, rested) {
  let drag;

  root.addEventListener('keydown', (event) => {
    if (drag && event.key === 'Escape') return finish(false);
    if (drag || !event.altKey || !['ArrowUp', 'ArrowDown'].includes(event.key)) return undefined;
    const row = event.target.closest('[data-row]');
    if (!row) return undefined;
    event.preventDefault();
    const to = neighbour(root, row, event.key === 'ArrowUp' ? -1 : 1);
    if (to) moved(placeOf(row), to);
    return undefined;
  });

  root.addEventListener('pointerdown', (event) => {
    const grip = event.target.closest('[data-grip]');
    if (!grip || event.button !== 0) return;
    event.preventDefault();
    const row = grip.closest('[data-row]');
    row.focus({ preventScroll: true });
    grip.setPointerCapture(event.pointerId);
    drag = { row, grip, from: placeOf(row), home: row.parentElement, after: row.nextElementSibling };
    row.classList.add('dragging');
    root.classList.add('ordering');
  });

  root.addEventListener('pointermove', (event) => {
    if (!drag) return;
    if (event.clientY < EDGE_PX) window.scrollBy(0, -SCROLL_PX);
    if (event.clientY > window.innerHeight - EDGE_PX) window.scrollBy(0, SCROLL_PX);
    const under = document.elementFromPoint(event.clientX, event.clientY);
    const list = under?.closest('[data-list]');
    if (!list || !root.contains(list)) return;
    const other = under.closest('[data-row]');
    if (other === drag.row) return;
    if (!other) {
      if (rowsOf(list).length === 0) list.append(drag.row);
      return;
    }
    const box = other.getBoundingClientRect();
    list.insertBefore(drag.row, event.clientY < box.top + box.height / 2 ? other : other.nextElementSibling);
  });

  root.addEventListener('pointerup', () => drag && finish(true));
  root.addEventListener('pointercancel', () => drag && finish(false));

  function finish(keep) {
    const { row, from, home, after } = drag;
    drag = undefined;
    row.classList.remove('dragging');
    root.classList.remove('ordering');
    const to = placeOf(row);
    // The row goes home first: the one who draws the list draws it from its data.
    home.insertBefore(row, after);
    if (keep && (to.list !== from.list || to.index !== from.index)) moved(from, to);
    rested();
  }

  return { dragging: () => drag !== undefined };
}
