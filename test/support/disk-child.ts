/**
 * A process that uses a disk tier, to be killed or to be ended by a corrupt file: `disk-child.ts verify|write DIRECTORY`.
 * It first reads all that the store has and compares every byte, and prints one JSON line about it. With `verify` it
 * then closes and ends; with `write` it goes on writing and reading until it is killed, and prints a second line when it
 * has written more than the store holds. A wrong byte ends it with 3.
 */
import { pieceBytes } from '../../src/cache/types.ts';
import { DiskTier } from '../../src/disk/tier.ts';
import { entryOf, KeptLog, mebibyte, never } from './disk-store.ts';
import { bytesOf } from './tier-bytes.ts';

const [, , mode, directory = ''] = process.argv;
const startCpu = process.cpuUsage();
const log = new KeptLog();
const bytesMax = 48 * mebibyte;
const tier = await DiskTier.open({ directory, bytesMax, log });
const { user, system } = process.cpuUsage(startCpu);
const openCpuMs = (user + system) / 1000;
let nextId = 1;
let entries = 0;
let pieces = 0;

for await (const key of tier.keys('all', never)) {
  const entry = await tier.load(key, never);
  for (const { id } of entry?.variants ?? []) {
    if (key !== `key ${id}`) wrong(`entry ${key} has ${id}`);
    nextId = Math.max(nextId, id + 1);
    entries++;
    await readAll(id);
  }
}
console.log(JSON.stringify({ openCpuMs, entries, pieces, corrupt: tier.counts().corrupt, log: log.lines }));

if (mode === 'verify') await tier.close();
else await writeUntilKilled();

async function readAll(id: number): Promise<void> {
  for (let offset = 0; ; ) {
    const span = tier.find(id, offset);
    if (span === undefined) return;
    const bytes = await tier.read(id, span.first);
    if (bytes !== undefined) {
      if (!bytes.equals(bytesOf(id, span.first, span.length))) wrong(`bytes of ${id} at ${span.first}`);
      pieces++;
    }
    offset = span.first + span.length;
  }
}

async function writeUntilKilled(): Promise<void> {
  let isFull = false;
  for (let id = nextId; ; id++) {
    tier.save(entryOf(`key ${id}`, id, { 'cache-tag': `t${id % 7}` }));
    for (let i = 0; i < 5; i++)
      tier.put(id, i * pieceBytes, bytesOf(id, i * pieceBytes, i % 2 === 0 ? pieceBytes : 900));
    if (id % 5 === 0) tier.remove(id - 3);
    await tier.read(id - 1, 0);
    if (id % 4 === 0) await tier.flushed();
    if (isFull || tier.counts().writtenBytes <= bytesMax) continue;
    isFull = true;
    console.log('full');
  }
}

function wrong(what: string): never {
  console.error(`wrong: ${what}`);
  process.exit(3);
}
