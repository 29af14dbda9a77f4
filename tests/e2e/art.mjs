// Small pictures painted by arithmetic, as PNG: what the sample house shows.
import { crc32 as zlibCrc, deflateSync } from 'node:zlib';

const table = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc32(bytes) {
  if (zlibCrc) return zlibCrc(bytes);
  let c = 0xffffffff;
  for (const byte of bytes) c = table[(c ^ byte) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** A PNG whose pixel at (x, y), both from 0 to 1, has the colour that `paint` returns. */
export function png(width, height, paint) {
  const raw = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0, at = 0; y < height; y += 1) {
    at += 1;
    for (let x = 0; x < width; x += 1, at += 3) {
      const [r, g, b] = paint(x / width, y / height);
      raw[at] = r;
      raw[at + 1] = g;
      raw[at + 2] = b;
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(raw)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const mix = (a, b, t) => a.map((v, i) => v + (b[i] - v) * Math.max(0, Math.min(1, t)));

/** The paintings by name. `t` moves them. */
export const paintings = {
  waves:
    (t = 0) =>
    (x, y) => {
      const line = y * 9 + Math.sin(x * 7 + y * 3 + t) * 0.7;
      return mix(mix([12, 44, 74], [94, 170, 190], y), [236, 240, 228], 0.5 * (line - Math.floor(line)) ** 6);
    },
  dunes: () => (x, y) => {
    const ridge = (k, h) => y > h + 0.09 * Math.sin(x * (3 + k) + k * 2.1);
    if (ridge(3, 0.82)) return mix([120, 62, 34], [90, 44, 28], y);
    if (ridge(1.4, 0.66)) return mix([196, 122, 66], [150, 84, 46], x);
    if (ridge(0.4, 0.5)) return mix([226, 168, 104], [204, 138, 84], x);
    return mix([246, 222, 188], [236, 190, 150], y * 1.8);
  },
  mobile:
    (t = 0) =>
    (x, y) => {
      const at = (cx, cy, r) => ((x - cx) * 1.78) ** 2 + (y - cy) ** 2 < r * r;
      if (at(0.3 + 0.02 * Math.sin(t), 0.42, 0.17)) return [206, 58, 44];
      if (at(0.55, 0.62 + 0.02 * Math.cos(t), 0.12)) return [30, 32, 36];
      if (at(0.72, 0.3, 0.09)) return [236, 180, 40];
      if (at(0.63, 0.34, 0.05)) return [34, 92, 156];
      return [238, 236, 230];
    },
  dusk: () => (x, y) => {
    const sun = ((x - 0.62) * 1.78) ** 2 + (y - 0.56) ** 2;
    if (y > 0.7 + 0.02 * Math.sin(x * 11)) return mix([28, 24, 44], [16, 14, 28], y);
    if (sun < 0.02) return [255, 214, 150];
    return mix([44, 36, 84], [232, 120, 96], y * 1.35);
  },
  field: () => (x, y) => {
    const a = Math.abs(x - 0.5) < 0.38 && Math.abs(y - 0.32) < 0.16;
    const b = Math.abs(x - 0.5) < 0.38 && Math.abs(y - 0.7) < 0.18;
    const grain = ((Math.sin(x * 913 + y * 677) * 43758.5) % 1) * 6;
    if (a) return [178 + grain, 62 + grain, 40];
    if (b) return [64 + grain, 28, 46 + grain];
    return [112 + grain, 38, 36 + grain];
  },
  fern: () => (x, y) => {
    const stripe = Math.sin((x + y * 0.4) * 34 + Math.sin(y * 9) * 2);
    return mix([18, 52, 42], [126, 168, 112], stripe * 0.5 + 0.5 - y * 0.4);
  },
};
