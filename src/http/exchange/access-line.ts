import { Recent } from '../../cache/recent.ts';
import type { AccessRecord } from './access.ts';

/** User agents and addresses whose text is kept. */
const keptMax = 2048;

/** What of a record is mostly the same as in the one before. */
type Outcome = Pick<
  AccessRecord,
  'protocol' | 'status' | 'complete' | 'hit' | 'detail' | 'fwd' | 'collapsed' | 'map' | 'error'
>;

/**
 * Lines of the access log, put together from a few parts that are kept. One is made for every request: JSON.stringify
 * takes several times as long, and so do many small parts, each of which is looked at again when the line is written.
 */
export class AccessLines {
  readonly #agents = new Recent<string, string>(keptMax);
  readonly #viewers = new Recent<string, string>(keptMax);
  #time = 0;
  #start = start(0);
  #target = '';
  #bytes = -1;
  #outcome: Outcome | undefined;
  #outcomeText = '';
  /** Target, outcome and bytes: what is asked for again and again has all of them the same. */
  #answerText = '';

  /** The line of a record, JSON and a line feed. */
  readonly of = (record: AccessRecord): string => {
    if (record.time !== this.#time) {
      this.#time = record.time;
      this.#start = start(record.time);
    }
    const { range, userAgent } = record;
    const { remote, method } = record;
    const viewer = method === 'GET' ? this.#viewers.getOrMake(remote, getterText) : viewerText(remote, method);
    const answered = this.#start + viewer + this.#answerOf(record) + times(record);
    const ranged = range === undefined ? '' : `,"range":"${escaped(range)}"`;
    return answered + ranged + (userAgent === undefined ? '}\n' : this.#agents.getOrMake(userAgent, agentText));
  };

  #answerOf(record: AccessRecord): string {
    const { target, bytes } = record;
    const known = this.#outcome !== undefined && same(this.#outcome, record);
    if (!known || target !== this.#target || bytes !== this.#bytes) {
      if (!known) this.#keepOutcome(record);
      this.#target = target;
      this.#bytes = bytes;
      this.#answerText = flat(escaped(target) + this.#outcomeText + bytes);
    }
    return this.#answerText;
  }

  #keepOutcome({ protocol, status, complete, hit, detail, fwd, collapsed, map, error }: AccessRecord): void {
    this.#outcome = { protocol, status, complete, hit, detail, fwd, collapsed, map, error };
    this.#outcomeText = `",${JSON.stringify(this.#outcome).slice(1, -1)},"bytes":`;
  }
}

function start(time: number): string {
  return flat(`{"level":"info","msg":"request","time":${time}`);
}

function viewerText(remote: string, method: string): string {
  return flat(`,"remote":"${escaped(remote)}","method":"${escaped(method)}","target":"`);
}

const getterText = (remote: string): string => viewerText(remote, 'GET');
const agentText = (userAgent: string): string => `,"userAgent":"${escaped(userAgent)}"}\n`;

function same(a: Outcome, b: Outcome): boolean {
  return (
    a.hit === b.hit &&
    a.status === b.status &&
    a.detail === b.detail &&
    a.complete === b.complete &&
    a.map === b.map &&
    a.fwd === b.fwd &&
    a.collapsed === b.collapsed &&
    a.protocol === b.protocol &&
    a.error === b.error
  );
}

const plain = /^[ !#-[\]-~]*$/;

/** As it stands between quotation marks. */
function escaped(text: string): string {
  return plain.test(text) ? text : JSON.stringify(text).slice(1, -1);
}

/** One string in memory, not a tree of its parts. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}

/** The times of answers that were out at once, by microseconds. */
const atOnce: (string | undefined)[] = Array.from({ length: 1000 });

function times({ durationMs, firstByteMs }: AccessRecord): string {
  const microseconds = Math.round(durationMs * 1000);
  if (firstByteMs !== durationMs || microseconds >= atOnce.length) {
    const first = firstByteMs === undefined ? '' : `,"firstByteMs":${milliseconds(firstByteMs)}`;
    return `,"durationMs":${milliseconds(durationMs)}${first}`;
  }
  let text = atOnce[microseconds];
  if (text === undefined) {
    const ms = milliseconds(durationMs);
    text = flat(`,"durationMs":${ms},"firstByteMs":${ms}`);
    atOnce[microseconds] = text;
  }
  return text;
}

const thousandths = Array.from({ length: 1000 }, (_none, i) => `.${String(i).padStart(3, '0')}`);

/** With three decimals: a double has 17 digits to find and to write. */
function milliseconds(ms: number): string {
  const microseconds = Math.max(0, Math.round(ms * 1000));
  return String(Math.floor(microseconds / 1000)) + thousandths[microseconds % 1000];
}
