import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const linkProgram = fileURLToPath(new URL('./lossy-link.pl', import.meta.url));

/** One half of a split network: a network namespace. */
export interface Half {
  /** To be put before a command that is to run there. */
  readonly within: readonly string[];
  /** For viewers: reached from where the tests run, whatever happens between the halves. */
  readonly address: string;
  /** Where its nodes listen for peers: reached by the other half through the link alone. */
  readonly peerAddress: string;
}

export interface LinkOptions {
  /** One way. */
  readonly delayMs: number;
  /** Of packets, each way, 0 to 1. */
  readonly loss: number;
}

/**
 * Whether tests with namespaces are to be skipped, which it says: they need root on Linux, and `ip` of iproute2. They
 * fail instead with EDDY_REQUIRE_NETNS=1.
 */
export function skipsNamespaces(): boolean {
  try {
    const name = `eddy-probe-${process.pid}`;
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
    return false;
  } catch (error) {
    if (process.env['EDDY_REQUIRE_NETNS'] === '1') throw error;
    console.warn('Tests that cut a network in two are skipped: they need root, and ip. See EDDY_REQUIRE_NETNS.');
    return true;
  }
}

/**
 * Two network namespaces with a link between them, and a way to each from here. A plain link can be cut
 * and healed. Numbered by
 * the process, so that runs beside each other do not meet.
 */
export class SplitNetwork {
  readonly halves: readonly [Half, Half];
  /** Where it is reached by both halves: for an origin. */
  readonly hostAddress: string;
  readonly #names: readonly [string, string];
  readonly #block: number;
  #link: ChildProcess | undefined;

  private constructor(block: number) {
    this.#block = block;
    this.#names = [`eddy-${block}-a`, `eddy-${block}-b`];
    const half = (index: 0 | 1): Half => ({
      within: ['ip', 'netns', 'exec', this.#names[index]],
      address: `10.77.${block}.${index === 0 ? 2 : 6}`,
      peerAddress: `10.78.${block}.${index === 0 ? 1 : 2}`,
    });
    this.halves = [half(0), half(1)];
    this.hostAddress = `10.79.${block}.1`;
  }

  /** `link`: real packets through a program that delays and loses them; else a plain pair of interfaces. */
  static async open(link?: LinkOptions): Promise<SplitNetwork> {
    const network = new SplitNetwork(1 + (process.pid % 250));
    try {
      await network.#open(link);
      return network;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  /** Nothing passes between the halves any more, and nobody is told: packets go to nobody's hardware address. */
  async cut(): Promise<void> {
    const nobody = ['lladdr', '02:00:00:00:00:01', 'nud', 'permanent'];
    for (const index of [0, 1] as const)
      await this.#in(index, ['neigh', 'replace', this.#across(index), ...nobody, 'dev', 'peer0']);
  }

  async heal(): Promise<void> {
    for (const index of [0, 1] as const) await this.#in(index, ['neigh', 'del', this.#across(index), 'dev', 'peer0']);
  }

  async close(): Promise<void> {
    this.#link?.kill('SIGKILL');
    for (const name of this.#names) await ip(['netns', 'del', name]).catch(() => {});
    await ip(['link', 'del', this.#hostLink(0)]).catch(() => {});
    await ip(['link', 'del', this.#hostLink(1)]).catch(() => {});
    await ip(['addr', 'del', `${this.hostAddress}/32`, 'dev', 'lo']).catch(() => {});
  }

  #across(index: 0 | 1): string {
    return this.halves[index === 0 ? 1 : 0].peerAddress;
  }

  #hostLink(index: 0 | 1): string {
    return `eddy${this.#block}${index === 0 ? 'a' : 'b'}`;
  }

  async #open(link: LinkOptions | undefined): Promise<void> {
    await ip(['addr', 'add', `${this.hostAddress}/32`, 'dev', 'lo']);
    for (const index of [0, 1] as const) await this.#openHalf(index);
    const [a, b] = this.#names;
    if (link !== undefined) await this.#openLossy(link);
    else await ip(['link', 'add', 'peer0', 'netns', a, 'type', 'veth', 'peer', 'name', 'peer0', 'netns', b]);
    for (const index of [0, 1] as const) {
      const { peerAddress: ours } = this.halves[index];
      await this.#in(index, ['link', 'set', 'peer0', 'up']);
      await this.#in(index, ['addr', 'add', `${ours}/32`, 'dev', 'lo']);
      await this.#in(index, ['route', 'add', `${this.#across(index)}/32`, 'dev', 'peer0', 'src', ours]);
    }
  }

  async #openHalf(index: 0 | 1): Promise<void> {
    const name = this.#names[index];
    const { address } = this.halves[index];
    const gateway = `10.77.${this.#block}.${index === 0 ? 1 : 5}`;
    await ip(['netns', 'add', name]);
    await this.#in(index, ['link', 'set', 'lo', 'up']);
    await ip(['link', 'add', this.#hostLink(index), 'type', 'veth', 'peer', 'name', 'host0', 'netns', name]);
    await ip(['addr', 'add', `${gateway}/30`, 'dev', this.#hostLink(index)]);
    await ip(['link', 'set', this.#hostLink(index), 'up']);
    await this.#in(index, ['addr', 'add', `${address}/30`, 'dev', 'host0']);
    await this.#in(index, ['link', 'set', 'host0', 'up']);
    await this.#in(index, ['route', 'add', `${this.hostAddress}/32`, 'via', gateway]);
  }

  async #openLossy({ delayMs, loss }: LinkOptions): Promise<void> {
    const devices = [`eddyt${this.#block}a`, `eddyt${this.#block}b`] as const;
    const link = spawn('perl', [linkProgram, ...devices, String(delayMs), String(loss)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#link = link;
    const end = () => link.kill('SIGKILL');
    process.once('exit', end);
    link.once('exit', () => process.off('exit', end));
    await once(link.stdout, 'data', { signal: AbortSignal.timeout(20_000) });
    for (const index of [0, 1] as const)
      await ip(['link', 'set', devices[index], 'netns', this.#names[index], 'name', 'peer0']);
  }

  #in(index: 0 | 1, args: readonly string[]): Promise<string> {
    return ip(['-n', this.#names[index], ...args]);
  }
}

async function ip(args: readonly string[]): Promise<string> {
  return (await run('ip', [...args], { timeout: 20_000 })).stdout;
}
