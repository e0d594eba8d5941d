import { RamTier } from '../../src/ram/tier.ts';
import { tierContract } from './tier-contract.ts';

async function open(bytesMax: number) {
  return { tier: new RamTier({ bytesMax }), close: async () => {} };
}

tierContract('A RAM tier with room', () => open(64 * 1024 * 1024), { roomy: true });
tierContract('A RAM tier of three pieces', () => open(800_000));
tierContract('A RAM tier that is off', () => open(0));
