import type { DemoNode, DemoStatus } from './cell-nodes.ts';

/** What is known at one moment. */
interface Moment {
  readonly seconds: number;
  readonly nodes: readonly (DemoNode & { readonly status: DemoStatus | undefined; readonly players: number })[];
  readonly viewerBytes: number;
  readonly originBytes: number;
  readonly originRequests: number;
  readonly uniqueBytes: number;
  readonly failures: number;
}

const sources = ['ram', 'disk', 'peer', 'origin'] as const;
const barWidth = 24;
const historyMax = 60;
const blocks = '▁▂▃▄▅▆▇█';

/** Draws moments: over each other on a terminal, as lines elsewhere. */
export class Screen {
  readonly #write: (text: string) => void;
  readonly #redraws: boolean;
  readonly #rates: { viewers: number; origin: number }[] = [];
  #before: Moment | undefined;

  constructor({ write, redraws }: { write: (text: string) => void; redraws: boolean }) {
    this.#write = write;
    this.#redraws = redraws;
  }

  show(moment: Moment): void {
    const before = this.#before;
    this.#before = moment;
    if (before !== undefined) {
      const seconds = Math.max(0.1, moment.seconds - before.seconds);
      const rate = (now: number, then: number) => Math.max(0, now - then) / seconds;
      this.#rates.push({
        viewers: rate(moment.viewerBytes, before.viewerBytes),
        origin: rate(moment.originBytes, before.originBytes),
      });
      if (this.#rates.length > historyMax) this.#rates.shift();
    }
    // The whole screen is cleared: what a node logs in between must not stay.
    if (this.#redraws) this.#write(`\u001b[H\u001b[2J${this.#picture(moment)}\n`);
    else this.#write(`${lineOf(moment)}\n`);
  }

  #picture(moment: Moment): string {
    const most = Math.max(1, ...this.#rates.map(({ viewers }) => viewers));
    const spark = (of: 'viewers' | 'origin') =>
      this.#rates.map((rates) => blocks[Math.min(7, Math.floor((rates[of] / most) * 8))] ?? '').join('');
    const last = this.#rates.at(-1);
    return [
      `Eddy: ${moment.nodes.length} nodes in one cell, a live channel, ${sum(moment.nodes.map(({ players }) => players))} players`,
      '',
      `to viewers   ${megabytes(last?.viewers ?? 0).padStart(8)}/s  ${spark('viewers')}`,
      `from origin  ${megabytes(last?.origin ?? 0).padStart(8)}/s  ${spark('origin')}`,
      '',
      ...moment.nodes.map(nodeLine),
      '',
      `     ${sources.map((source, i) => `${'█▓▒░'[i]} ${source}`).join('   ')}`,
      '',
      lineOf(moment),
      'Open the page of any node to watch. Ctrl-C ends it.',
    ].join('\n');
  }
}

/** One line that says it all. */
function lineOf(moment: Moment): string {
  const { seconds, viewerBytes, originBytes, uniqueBytes, originRequests, failures } = moment;
  const times = uniqueBytes === 0 ? '–' : (originBytes / uniqueBytes).toFixed(3);
  return `${seconds.toFixed(0)} s: viewers got ${megabytes(viewerBytes)}, the origin gave ${megabytes(originBytes)} in ${originRequests} requests: ${times} times what was asked for${failures > 0 ? `; ${failures} requests failed` : ''}`;
}

function nodeLine({ http, status, players }: Moment['nodes'][number]): string {
  const bytes = status?.bytes;
  const all = bytes === undefined ? 0 : sum(sources.map((source) => bytes[source]));
  const bar = sources
    .map((source, i) => '█▓▒░'.charAt(i).repeat(Math.round((barWidth * (bytes?.[source] ?? 0)) / Math.max(1, all))))
    .join('');
  const peers = status === undefined ? 'does not answer' : `${status.up} peers up`;
  return `${http.padEnd(24)} ${String(players).padStart(3)} players  ${bar.padEnd(barWidth)}  ${megabytes(all).padStart(8)}  ${peers}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
