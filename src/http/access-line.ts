import { Recent } from '../cache/recent.ts';
import type { AccessRecord } from './access.ts';

/** User agents whose text is kept. */
const agentsMax = 512;

/** What of a record is mostly the same as in the one before. */
type Common = Pick<AccessRecord, 'complete' | 'hit' | 'detail' | 'fwd' | 'collapsed' | 'map' | 'error'>;

/**
 * Lines of the access log, put together from parts that are kept: a line is made for every request, and this takes a
 * quarter of the time that JSON.stringify takes.
 */
export class AccessLines {
  readonly #agents = new Recent<string, string>(agentsMax);
  #time = 0;
  #timeText = '0';
  #common: Common | undefined;
  #commonText = '';

  /** The members of the JSON object of a record. */
  readonly of = (record: AccessRecord): string => {
    if (record.time !== this.#time) {
      this.#time = record.time;
      this.#timeText = String(record.time);
    }
    const { range, userAgent, firstByteMs } = record;
    const first = firstByteMs === undefined ? '' : `,"firstByteMs":${milliseconds(firstByteMs)}`;
    const about = `"time":${this.#timeText},"remote":"${record.remote}","method":${quoted(record.method)}`;
    const asked = `,"target":${quoted(record.target)},"protocol":"${record.protocol}","status":${record.status}`;
    const sent = `,"bytes":${record.bytes},"durationMs":${milliseconds(record.durationMs)}`;
    const ranged = range === undefined ? '' : `,"range":${quoted(range)}`;
    const agent = userAgent === undefined ? '' : this.#agentOf(userAgent);
    return about + asked + sent + first + this.#commonOf(record) + ranged + agent;
  };

  #agentOf(userAgent: string): string {
    let text = this.#agents.get(userAgent);
    if (text === undefined) {
      text = `,"userAgent":${JSON.stringify(userAgent)}`;
      this.#agents.set(userAgent, text);
    }
    return text;
  }

  #commonOf(record: AccessRecord): string {
    if (this.#common === undefined || !same(this.#common, record)) {
      const { complete, hit, detail, fwd, collapsed, map, error } = record;
      this.#common = { complete, hit, detail, fwd, collapsed, map, error };
      this.#commonText = `,${JSON.stringify(this.#common).slice(1, -1)}`;
    }
    return this.#commonText;
  }
}

function same(a: Common, b: Common): boolean {
  return (
    a.complete === b.complete &&
    a.hit === b.hit &&
    a.detail === b.detail &&
    a.fwd === b.fwd &&
    a.collapsed === b.collapsed &&
    a.map === b.map &&
    a.error === b.error
  );
}

const plain = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

const thousandths = Array.from({ length: 1000 }, (_none, i) => `.${String(i).padStart(3, '0')}`);

/** With three decimals: a double has 17 digits to find and to write. */
function milliseconds(ms: number): string {
  const microseconds = Math.max(0, Math.round(ms * 1000));
  return String(Math.floor(microseconds / 1000)) + thousandths[microseconds % 1000];
}
