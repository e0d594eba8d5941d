import { type Contender, contenders } from '../fleet.ts';
import type { BenchOptions } from '../options.ts';

/** Those that are compared where objects come from the origin, each set as it does best there. */
export const fillContenders: readonly string[] = [
  'eddy',
  'eddy-baseline',
  'nginx-sendfile-nopush',
  'nginx-slice-sendfile',
  'varnish',
  'trafficserver',
];

/** The servers that the options name, of those that a scenario compares. Throws for a name that is none. */
export function chosenContenders(options: BenchOptions, compared?: readonly string[]): readonly Contender[] {
  const known = contenders(options);
  const { servers } = options;
  const unknown = servers?.find((id) => known.every((each) => each.id !== id));
  if (unknown !== undefined) throw new Error(`--servers ${unknown}: must be of ${known.map(({ id }) => id)}`);
  return known.filter(({ id }) => (servers ?? compared)?.includes(id) ?? true);
}
