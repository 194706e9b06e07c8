import { stripVTControlCharacters } from 'node:util';

/** Times and lengths of time as people read them. */

const pad = (value: number, width = 2) => String(value).padStart(width, '0');

const monthNames = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** A moment on this machine's clock; with its date unless that is today's. */
export function moment(at: Date, now = new Date()): string {
  const seconds = at.getSeconds();
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
  if (at.toDateString() === now.toDateString()) return `${time}:${pad(seconds)}`;
  const isThisYear = at.getFullYear() === now.getFullYear();
  const date = `${at.getDate()} ${monthNames[at.getMonth()]}${isThisYear ? '' : ` ${at.getFullYear()}`}`;
  return `${date} ${time}${seconds === 0 ? '' : `:${pad(seconds)}`}`;
}

/** The time of day to the millisecond. */
export function stamp(at: Date): string {
  return `${moment(at, at)}.${pad(at.getMilliseconds(), 3)}`;
}

/** A length of time, coarser the longer it is. */
export function length(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? `${hours} h ${minutes % 60} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Text on one line, without what would move a terminal's cursor, and no longer than `width` characters. */
export function shorten(text: string, width: number): string {
  const line = oneLine(text);
  const characters = [...line];
  return characters.length <= width ? line : `${characters.slice(0, width - 1).join('')}…`;
}

/** What is left of a line of output when it may not move a terminal's cursor, change its colours or ring its bell. */
export function oneLine(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\s/g, ' ')
    .replace(/\p{Cc}/gu, '')
    .trimEnd();
}
