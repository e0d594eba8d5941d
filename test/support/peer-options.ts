import type { Log } from '../../src/log.ts';

export const cellKeyHex = '5eed'.repeat(16);
export const quietLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
export const keyOf = ({ map, target }: { map: string; target: string }): string => `${map} ${target}`;
