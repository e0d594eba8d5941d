import { amplification } from './amplification.ts';
import { cold } from './cold.ts';
import { coldSegments } from './cold-segments.ts';
import { compare } from './compare.ts';
import { disk } from './disk.ts';
import { herd } from './herd.ts';
import { live } from './live.ts';
import { memory } from './memory.ts';
import { mixed } from './mixed.ts';
import { paced } from './paced.ts';
import { peers } from './peers.ts';
import type { Scenario } from './scenario.ts';
import { storm } from './storm.ts';
import { wan } from './wan.ts';
import { workers } from './workers.ts';
import { writes } from './writes.ts';

/** In the order in which a whole run takes them. */
export const scenarios: readonly Scenario[] = [
  compare,
  workers,
  disk,
  cold,
  herd,
  mixed,
  paced,
  writes,
  memory,
  peers,
  amplification,
  coldSegments,
  live,
  storm,
  wan,
];
