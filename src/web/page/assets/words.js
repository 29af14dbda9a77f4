// Times, lengths and states in words.

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long' });

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** "a moment ago", "3 minutes ago", "2 hours ago", "on 3 November". */
export function ago(date, now = Date.now()) {
  const seconds = Math.max(0, (now - new Date(date).getTime()) / 1000);
  if (seconds < 45) return 'a moment ago';
  if (seconds < 90 * 60) return `${plural(Math.max(1, Math.round(seconds / 60)), 'minute')} ago`;
  if (seconds < 36 * 3600) return `${plural(Math.round(seconds / 3600), 'hour')} ago`;
  if (seconds < 14 * 86400) return `${plural(Math.round(seconds / 86400), 'day')} ago`;
  return `on ${day.format(new Date(date))}`;
}

/** "since 10:42", "since yesterday", "since Monday", "since 3 November". */
export function since(date, now = new Date()) {
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days <= 0) return `since ${clock.format(date)}`;
  if (days === 1) return 'since yesterday';
  if (days < 7) return `since ${weekday.format(date)}`;
  return `since ${day.format(date)}`;
}

/** "8 s", "1 min 20 s", "2 h 5 min". */
export function lasting(ms) {
  const seconds = Math.round(ms / 100) / 10;
  if (seconds < 60) return `${seconds} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole / 60} min`;
  const minutes = Math.round(whole / 60);
  if (minutes < 2880) return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
  return plural(Math.floor(minutes / 1440), 'day');
}

/** "12.3 MB" */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

/** What a screen does now: `{ word, tone }`, the tone being good, calm, warn or bad. */
export function condition(report) {
  const state = report?.state;
  if (!report) return { word: 'Not seen yet', tone: 'calm' };
  if (!report.online) return { word: 'Offline', tone: 'bad' };
  if (!state) return { word: 'Connected', tone: 'calm' };
  if (state.state === 'failed') return { word: 'Failed', tone: 'bad' };
  if (state.state === 'standby') return { word: 'Standby', tone: 'calm' };
  if (state.power === 'off') return { word: 'Display off', tone: 'calm' };
  if (state.state === 'playing') return { word: 'Playing', tone: 'good' };
  if (state.state === 'paused') return { word: 'Paused', tone: 'warn' };
  return { word: 'Ready', tone: 'calm' };
}

/** How well the frames came: "No frame lost since yesterday", or what was lost. */
export function health(state) {
  const { late = 0, dropped = 0, missed_vblanks: missed = 0 } = state?.counters ?? {};
  const from = state?.uptime_ms === undefined ? '' : ` ${since(new Date(Date.now() - state.uptime_ms))}`;
  if (late + dropped + missed === 0) return { good: true, words: `No frame lost${from}` };
  const parts = [];
  if (missed) parts.push(`${plural(missed, 'vblank')} missed`);
  if (dropped) parts.push(`${plural(dropped, 'frame')} dropped`);
  if (late) parts.push(`${late} late`);
  return { good: false, words: parts.join(', ') + from };
}

/** Faults in one sentence each: "Mobile: the picture could not be decoded (3 times)". */
export function faults(state, titleOf) {
  return (state?.errors ?? []).map(({ item, kind, message, count = 1 }) => {
    const what = item ? `${titleOf(item)}: ` : '';
    return `${what}${message ?? kind}${count > 1 ? ` (${count} times)` : ''}`;
  });
}

const dayNames = { mon: 'Mon', tue: 'Tue', wed: 'Wed', thu: 'Thu', fri: 'Fri', sat: 'Sat', sun: 'Sun' };
export const longDays = {
  mon: 'Monday',
  tue: 'Tuesday',
  wed: 'Wednesday',
  thu: 'Thursday',
  fri: 'Friday',
  sat: 'Saturday',
  sun: 'Sunday',
};
export const days = Object.keys(dayNames);

/** "Mon to Fri", "Sat, Sun", "every day". */
export function daysInWords(chosen) {
  const at = days.map((name, index) => (chosen.includes(name) ? index : -1)).filter((index) => index >= 0);
  if (at.length === 7) return 'every day';
  if (at.length > 2 && at.at(-1) - at[0] === at.length - 1)
    return `${dayNames[days[at[0]]]} to ${dayNames[days[at.at(-1)]]}`;
  return at.map((index) => dayNames[days[index]]).join(', ');
}

/** "Mon to Fri 08:00 to 20:00; Sat 10:00 to 18:00" */
export function windowsInWords(windows) {
  return (windows ?? []).map(({ days: chosen, from, to }) => `${daysInWords(chosen)} ${from} to ${to}`).join('; ');
}

const date = (iso) => day.format(new Date(`${iso}T12:00:00`));

/** When a playlist is scheduled, in a sentence. */
export function scheduleInWords(schedule) {
  if (!schedule) return '';
  const { from_date: from, to_date: to, windows } = schedule;
  const parts = [];
  if (from && to) parts.push(`${date(from)} to ${date(to)}`);
  else if (from) parts.push(`from ${date(from)}`);
  else if (to) parts.push(`until ${date(to)}`);
  if (windows?.length) parts.push(windowsInWords(windows));
  return parts.join(', ') || 'always';
}
