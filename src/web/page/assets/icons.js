// The icons: 24 by 24, drawn with strokes of the text's colour.

const paths = {
  play: 'M7 4.5v15l12.5-7.5z',
  pause: 'M8 5v14M16 5v14',
  stop: 'M6.5 6.5h11v11h-11z',
  next: 'M6 5.5v13l9.5-6.5zM18.5 5.5v13',
  previous: 'M18 5.5v13L8.5 12zM5.5 5.5v13',
  power: 'M12 3.5v8.5M17.7 6.8a8 8 0 1 1-11.4 0',
  identify:
    'M9 18.5h6M10 21.5h4M12 2.5a6.5 6.5 0 0 0-3.8 11.8c.8.6 1.3 1.3 1.3 2.2h5c0-.9.5-1.6 1.3-2.2A6.5 6.5 0 0 0 12 2.5z',
  screens: 'M3.5 4.5h17v11.5h-17zM8.5 20h7M12 16v4',
  playlists: 'M3.5 6h12M3.5 11h12M3.5 16h7M15 14.5v6l5-3z',
  media: 'M3.5 4.5h17v15h-17zM3.5 16l5-5 4.5 4.5 2.5-2.5 5 5M15.5 9.5h.01',
  log: 'M5.5 3.5h13v17h-13zM9 8h6M9 12h6M9 16h3.5',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8v4.4M9 14.8v4.4',
  add: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6L6 18',
  up: 'M12 19V5.5M6 11l6-6 6 6',
  down: 'M12 5v13.5M6 13l6 6 6-6',
  grip: 'M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01',
  edit: 'M4.5 19.5l1-4.5L16 4.5l3.5 3.5L9 18.5z',
  remove: 'M4.5 7h15M9.5 7V4h5v3M6.5 7l1 13.5h9l1-13.5M10.5 11v6M13.5 11v6',
  upload: 'M12 16V4.5M7 9l5-5 5 5M4 16v4h16v-4',
  download: 'M12 4v12M7 11l5 5 5-5M4 16.5V20h16v-3.5',
  back: 'M14.5 5l-7 7 7 7',
  chevron: 'M7 9.5l5 5 5-5',
  warning: 'M12 4L2.8 20h18.4zM12 10v4.5M12 17.3h.01',
  check: 'M5 12.5l4.5 4.5L19.5 7',
  offline:
    'M3 3l18 18M8.5 15.5a5 5 0 0 1 5.5-1M5 12a10 10 0 0 1 4.5-2.5M2 8.5a14.5 14.5 0 0 1 4.5-2.8M12 19.5h.01M12.5 5a14.5 14.5 0 0 1 9.5 3.5M16.5 10.7A10 10 0 0 1 19 12',
  group: 'M3.5 3.5h7.5v7.5h-7.5zM13 13h7.5v7.5h-7.5zM13 3.5h7.5v7.5h-7.5zM3.5 13h7.5v7.5h-7.5z',
  out: 'M14 4.5H5v15h9M10 12h10.5M17 8.5l3.5 3.5-3.5 3.5',
  copy: 'M8.5 8.5h11v11h-11zM5 15.5H4.5v-11h11V5',
};

const space = 'http://www.w3.org/2000/svg';

/** An icon that says nothing to screen readers: the button around it has the words. */
export function icon(name) {
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('focusable', 'false');
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', paths[name]);
  svg.append(path);
  return svg;
}
