import { readFileSync } from 'node:fs';
import type { Config } from '../../config.ts';
import type { Log } from '../../log.ts';

/**
 * Descriptors that are kept from viewers, beside those for origins: the disk tier has some 1,200 open at most, members of
 * the cell 512, operators 256, and the program itself some 50.
 */
const keptMax = 2_048;
/** Where there are few, viewers have this share of them. */
const viewersShareMin = 1 / 2;

/**
 * The configuration with `limits.connectionsMax` lowered to what this process may have open, so that viewers who are too
 * many are turned away and disk, origins, peers and operators still get descriptors. Says so in the log.
 * @param descriptorsMax undefined: there is no bound, or the system does not tell
 */
export function boundConnections(config: Config, log: Log, descriptorsMax = openFilesMax()): Config {
  const { limits, listen, https, maps } = config;
  if (descriptorsMax === undefined) return config;
  const origins = maps.reduce((sum, map) => sum + map.origins.length * map.connectionsMax, 0);
  const left = Math.max(descriptorsMax * viewersShareMin, descriptorsMax - keptMax - origins);
  const connectionsMax = Math.max(1, Math.floor(left / Math.max(1, listen.length + https.length)));
  if (connectionsMax >= limits.connectionsMax) return config;
  // The default asks for more than most machines give: no fault, but what to look for when viewers are turned away.
  log.info(
    { connectionsMax, configured: limits.connectionsMax, descriptorsMax },
    'viewers may open fewer connections than limits.connectionsMax to each address: the process may have only so many files open (ulimit -n)',
  );
  return { ...config, limits: { ...limits, connectionsMax } };
}

/** Node raises the soft limit to the hard one when it starts. */
function openFilesMax(): number | undefined {
  try {
    const [, max] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return max === undefined ? undefined : Number(max);
  } catch {
    return undefined;
  }
}
