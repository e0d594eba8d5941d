import { openDisk, temporaryDirectory } from '../support/disk-store.ts';
import { type OpenedTier, tierContract } from './tier-contract.ts';

async function openEmpty(bytesMax: number): Promise<OpenedTier> {
  const directory = await temporaryDirectory();
  const tier = await openDisk(directory.path, { bytesMax });
  return {
    tier,
    settled: () => tier.flushed(),
    async close() {
      await tier.close();
      await directory.remove();
    },
  };
}

tierContract('a disk tier with room', () => openEmpty(64 * 1024 * 1024), { roomy: true });
tierContract('a disk tier that is always full', () => openEmpty(4 * 1024 * 1024));
