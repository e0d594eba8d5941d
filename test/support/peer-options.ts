import type { Log } from '../../src/log.ts';
import { Circuits } from '../../src/peers/transport/circuits.ts';
import type { HostGate } from '../../src/peers/transport/host.ts';

export const cellKeyHex = '5eed'.repeat(16);
export const quietLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
export const keyOf = ({ map, target }: { map: string; target: string }): string => `${map} ${target}`;
export const openGate: HostGate = { acceptAddress: () => true, acceptPeer: () => true, acceptRelaying: () => true };
/** Of a host that neither relays nor is relayed, and lets everybody in. */
export const plainHost = () => ({ gate: openGate, circuits: new Circuits(), relay: undefined });
