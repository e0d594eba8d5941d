/**
 * `npm run demo`: a cell of three nodes, an origin with a live channel, and players on each node. More players join; what
 * the origin gives stays what one viewer takes. Ends by Ctrl-C, or after `--seconds N`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CellNodes } from './cell-nodes.ts';
import { CountedOrigin } from './counted-origin.ts';
import { Players } from './players.ts';
import { Screen } from './screen.ts';

const everyMs = 1_000;
const joinEveryMs = 10_000;
const playersMax = 8;
const usage = 'npm run demo -- [--nodes N] [--seconds N]: 2 to 20 nodes, 3 without it; without --seconds until Ctrl-C';

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let options: { nodes: number; seconds: number };
  try {
    options = readOptions(argv);
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  const stop = new AbortController();
  const interrupt = () => {
    // Asked twice: at once.
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const origin = await CountedOrigin.start(() => undefined);
  const cell = await CellNodes.prepare(origin.url);
  process.once('exit', () => cell.closeNow());
  try {
    await demonstrate({ origin, cell, signal: stop.signal, ...options });
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    console.error(error);
    return 1;
  } finally {
    console.log('ending the nodes…');
    await cell.close();
    await origin.close();
  }
}

async function demonstrate(about: {
  origin: CountedOrigin;
  cell: CellNodes;
  nodes: number;
  seconds: number;
  signal: AbortSignal;
}): Promise<void> {
  const { origin, cell, signal, seconds } = about;
  console.log(`starting ${about.nodes} nodes…`);
  for (let i = 0; i < about.nodes && !signal.aborted; i++) await cell.add();
  for (const { http, admin } of cell.nodes) console.log(`node: page ${http}/, console ${admin}/`);
  await met(cell, signal);
  const players = new Players(cell.nodes.map(({ http }) => http));
  const screen = new Screen({ write: (text) => process.stdout.write(text), redraws: process.stdout.isTTY === true });
  const startedMs = performance.now();
  try {
    while (!signal.aborted) {
      const elapsedMs = performance.now() - startedMs;
      const due = Math.min(playersMax, 1 + Math.floor(elapsedMs / joinEveryMs));
      while ((players.count[0] ?? 0) < due) players.join();
      await sleep(everyMs, undefined, { signal }).catch(() => {});
      const nodes = await Promise.all(
        cell.nodes.map(async (node, i) => ({
          ...node,
          status: await cell.status(node),
          players: players.count[i] ?? 0,
        })),
      );
      screen.show({
        ...{ seconds: (performance.now() - startedMs) / 1000, nodes, failures: players.failures },
        ...{ viewerBytes: players.bytes, uniqueBytes: players.uniqueBytes },
        ...{ originBytes: origin.bodyBytes, originRequests: origin.requests },
      });
      if (elapsedMs >= seconds * 1000) return;
    }
  } finally {
    await players.stop();
  }
}

/** Resolves when all nodes see each other, or after a while. */
async function met(cell: CellNodes, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < 100 && !signal.aborted; tries++) {
    const seen = await Promise.all(cell.nodes.map((node) => cell.status(node)));
    if (seen.every((status) => status?.up === cell.nodes.length - 1)) return;
    await sleep(200, undefined, { signal }).catch(() => {});
  }
}

function readOptions(argv: readonly string[]): { nodes: number; seconds: number } {
  const flags = { nodes: { type: 'string' }, seconds: { type: 'string' } } as const;
  const { values } = parseArgs({ args: [...argv], options: flags, strict: true });
  const nodes = Number(values.nodes ?? 3);
  const seconds = Number(values.seconds ?? Number.POSITIVE_INFINITY);
  if (!Number.isInteger(nodes) || nodes < 2 || nodes > 20)
    throw new Error(`--nodes ${values.nodes}: must be a whole number from 2 to 20`);
  if (!(seconds > 0)) throw new Error(`--seconds ${values.seconds}: must be a number above 0`);
  return { nodes, seconds };
}
