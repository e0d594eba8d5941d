import { onTestFinished } from 'vitest';
import type { Supply, SupplyRequest } from '../../src/cache/supply.ts';
import { EddyError } from '../../src/errors.ts';
import { Fields } from '../../src/fields.ts';
import type { OriginMap } from '../../src/origin/origin-map.ts';
import { OriginSupplier, type OriginSupplierOptions } from '../../src/origin/supplier.ts';

/** A supplier for one map named `m`, with short deadlines and backoffs that take no time. */
export function supplierFor(map: Partial<OriginMap>, options: Partial<OriginSupplierOptions> = {}): OriginSupplier {
  const short = { connectTimeoutMs: 500, firstByteTimeoutMs: 300, idleTimeoutMs: 300, queueTimeoutMs: 300 };
  return new OriginSupplier({
    maps: [{ name: 'm', prefix: '/', upstreams: [], ...short, ...map }],
    clock: { nowMs: () => Date.now(), sleep: async () => {} },
    random: () => 0.5,
    ...options,
  });
}

/** Asks map `m`; GET without fields unless told otherwise. */
export async function ask(
  supplier: OriginSupplier,
  target: string,
  about: Partial<SupplyRequest> & {
    signal?: AbortSignal;
    onInformational?: (status: number, fields: Fields) => void;
  } = {},
): Promise<Supply> {
  const { signal = AbortSignal.timeout(10_000), onInformational, ...rest } = about;
  const request = { method: 'GET', target, fields: Fields.empty, map: 'm', ...rest };
  const supply = await supplier.supply(request, { signal, ...(onInformational && { onInformational }) });
  if (supply === undefined) throw new Error('map m is not served');
  return supply;
}

/** The whole body. */
export async function readAll(supply: Supply): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of supply.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The EddyError that this ends in. */
export async function errorOf(promise: Promise<unknown>): Promise<EddyError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof EddyError) return error;
    throw error;
  }
  throw new Error('should have failed');
}

/** Closes it when the running test has finished. */
export function kept<T extends { close(): Promise<unknown> }>(thing: T): T {
  onTestFinished(async () => {
    await thing.close();
  });
  return thing;
}
