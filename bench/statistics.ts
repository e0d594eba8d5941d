/** The value that this share (0 .. 1) of the values does not exceed: nearest rank. Undefined without values. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}

/** Undefined instead of Infinity and NaN, which JSON cannot hold. */
export function quotient(above: number | undefined, below: number | undefined): number | undefined {
  if (above === undefined || below === undefined || below === 0) return undefined;
  return above / below;
}

/** To that many significant digits: more are noise. */
export function rounded(value: number, digits = 4): number {
  return Number(value.toPrecision(digits));
}
