// The sample house of the mock: three screens (one offline, one with faults), two playlists, six items.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { paintings, png } from './art.mjs';

/** Two seconds of moving colour. */
function clip() {
  const folder = mkdtempSync(join(tmpdir(), 'mock-'));
  const file = join(folder, 'clip.mp4');
  const source = 'gradients=s=480x270:d=2:r=25:c0=0x0d3b4f:c1=0xe8b98a:c2=0x77284b:speed=0.03:seed=7';
  const words = ['-v', 'error', '-f', 'lavfi', '-i', source, '-pix_fmt', 'yuv420p', '-movflags', 'faststart', file];
  try {
    execFileSync('ffmpeg', words);
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();

function state(extra) {
  return {
    state: 'playing',
    position: 'M0T0I0',
    power: 'on',
    version: '0.1.0',
    uptime_ms: 93_600_000,
    rev: 41,
    epoch: 'e1',
    outputs: [{ name: 'main', position: 'M0T0I0', item: 'i1' }],
    counters: { presented: 4_680_000, late: 0, dropped: 0, missed_vblanks: 0, items_shown: 312 },
    errors: [],
    media: { complete: 6, total: 6 },
    ...extra,
  };
}

export function sample() {
  const files = new Map();
  const items = {};
  const add = (id, title, name, kind, duration_ms, bytes, mime) => {
    files.set(name, { bytes, mime });
    const source = { src: `/api/v1/media/${name}`, sha256: '0'.repeat(64), size: bytes.length, mime };
    items[id] = { rev: 2, title, kind, duration_ms, formats: { source } };
  };
  add('i1', 'Waves', 'waves.mp4', 'video', 10_000, clip(), 'video/mp4');
  add('i2', 'Dunes at noon', 'dunes.png', 'image', 8_000, png(480, 270, paintings.dunes()), 'image/png');
  add('i3', 'Mobile', 'mobile.png', 'image', 12_000, png(480, 270, paintings.mobile()), 'image/png');
  add('i4', 'Dusk over the bay', 'dusk.png', 'image', 8_000, png(480, 270, paintings.dusk()), 'image/png');
  add('i5', 'Untitled (red and plum)', 'field.png', 'image', 20_000, png(360, 480, paintings.field()), 'image/png');
  add('i6', 'Fern study', 'fern.png', 'image', 8_000, png(480, 270, paintings.fern()), 'image/png');

  const document = {
    house: {
      id: 'h1',
      rev: 7,
      name: 'Galerie du Quai',
      time_zone: 'Europe/Paris',
      autostart_playlist: false,
      auto_advance: true,
      playlist: 'p1',
      default_playlist: 'p2',
      volume: 0.8,
      mute: false,
      fit: 'contain',
      standby: false,
      display_hours: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat'], from: '08:00', to: '20:00' }],
    },
    groups: { g1: { rev: 3, name: 'Ground floor', playlist: 'p1', volume: 0.2 } },
    screens: {
      s1: { rev: 5, name: 'Foyer', group: 'g1', outputs: ['main'], mute: true },
      s2: { rev: 5, name: 'Window on the street', group: 'g1', outputs: ['main'] },
      s3: { rev: 6, name: 'Upstairs cabinet', outputs: ['main', 'side'] },
    },
    playlists: {
      p1: {
        rev: 4,
        name: 'Summer hang',
        montages: [
          { id: 'm1', tracks: [{ id: 't1', screen: 'main', items: ['i1', 'i2', 'i4'] }] },
          {
            id: 'm2',
            tracks: [
              { id: 't2', screen: 'main', items: ['i3'] },
              { id: 't3', screen: 'side', items: ['i5', 'i6'] },
            ],
          },
        ],
      },
      p2: {
        rev: 4,
        name: 'Quiet hours',
        schedule: {
          priority: 5,
          from_date: '2026-12-01',
          to_date: '2026-12-24',
          windows: [{ days: ['sat', 'sun'], from: '09:00', to: '12:00' }],
        },
        montages: [{ id: 'm1', tracks: [{ id: 't1', screen: 'main', items: ['i5', 'i6'] }] }],
      },
    },
    items,
  };

  const reports = {
    s1: { online: true, seen: ago(1), state: state({ playlist: 'p1', item: 'i1', title: 'Waves' }) },
    s2: {
      online: true,
      seen: ago(2),
      state: state({
        state: 'paused',
        playlist: 'p1',
        position: 'M0T0I2',
        item: 'i4',
        title: 'Dusk over the bay',
        outputs: [{ name: 'main', position: 'M0T0I2', item: 'i4' }],
        counters: { presented: 812_345, late: 14, dropped: 2, missed_vblanks: 3, items_shown: 95 },
        errors: [{ item: 'i3', kind: 'corrupt', message: 'the picture could not be decoded', count: 3 }],
        media: { complete: 5, total: 6 },
      }),
    },
    s3: {
      online: false,
      seen: ago(7_800),
      state: state({
        playlist: 'p2',
        item: 'i6',
        title: 'Fern study',
        outputs: [
          { name: 'main', position: 'M0T0I0', item: 'i6' },
          { name: 'side', position: 'M0T1I0', item: 'i5' },
        ],
      }),
    },
  };

  const plays = Array.from({ length: 64 }, (_, n) => ({
    seq: 400 - n,
    at: ago(60 + n * 613),
    screen: ['s1', 's2', 's3'][n % 3],
    output: 'main',
    playlist: n % 3 === 2 ? 'p2' : 'p1',
    item: ['i1', 'i2', 'i4', 'i3', 'i5', 'i6'][n % 6],
    duration_ms: 8_000 + (n % 4) * 1_000,
  }));

  // Of the first output by the screen's id, of another with its name: "s3/side".
  const pictures = {
    s1: { at: Date.now(), paint: (t) => png(480, 270, paintings.waves(t)) },
    s2: { at: Date.now(), paint: () => files.get('dusk.png').bytes },
    s3: { at: Date.now() - 7_800_000, still: files.get('fern.png').bytes },
    's3/side': { at: Date.now() - 7_800_000, still: files.get('field.png').bytes },
  };
  return { document, reports, plays, pictures, files, rev: 7, epoch: 'e1' };
}
