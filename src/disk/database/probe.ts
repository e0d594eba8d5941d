/** Run as a process of its own: `probe.ts check|repair DIRECTORY`. Ends with 0 when every record could be read. */
import { ClassicLevel } from 'classic-level';

const [, , mode, directory] = process.argv;

try {
  if (directory === undefined || (mode !== 'check' && mode !== 'repair')) throw new Error('check|repair DIRECTORY');
  if (mode === 'repair') await ClassicLevel.repair(directory);
  await readAll(directory);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}

async function readAll(path: string): Promise<void> {
  const level = new ClassicLevel(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: false,
    // Opening it moves its log into a table.
    compression: false,
  });
  await level.open();
  const iterator = level.iterator({ highWaterMarkBytes: 1024 * 1024 });
  while ((await iterator.nextv(1000)).length > 0);
  await iterator.close();
  await level.close();
}
