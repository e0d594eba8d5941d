import { Random } from './random.ts';
import type { Trace } from './trace.ts';
import { Live, Scan, traceOf, Vod, type Workload } from './workloads.ts';

/** The traces the decision rests on. Each is made from the seed alone. */
export function standardTraces({ seed, accesses }: { seed: number; accesses: number }): Trace[] {
  const trace = (name: string, workloads: Workload[]) =>
    traceOf(name, workloads, { accesses, random: new Random(seed) });
  const titles = 120;
  return [
    trace('vod .8', [new Vod({ titles, alpha: 0.8, arrivals: 1 })]),
    trace('vod 1', [new Vod({ titles, alpha: 1, arrivals: 1 })]),
    trace('live', [new Live({ channels: 30, viewers: 30 })]),
    trace('scan', [new Vod({ titles, alpha: 0.9, arrivals: 1 }), new Scan({ filesPerRound: 20, readsPerPiece: 1 })]),
    trace('steps', [new Vod({ titles, alpha: 0.9, arrivals: 1 }), new Scan({ filesPerRound: 20, readsPerPiece: 4 })]),
    trace('mix', [
      new Vod({ titles, alpha: 0.9, arrivals: 1, releases: 0.05 }),
      new Live({ channels: 8, viewers: 15 }),
      new Scan({ filesPerRound: 5, readsPerPiece: 1 }),
    ]),
  ];
}
