/** Of everything that is random in a test: said in its name or its output, so that a failure can be repeated. */
export const fuzzSeed = Number(process.env['EDDY_FUZZ_SEED'] ?? Date.now() % 2 ** 31);

/** How many cases: few in every run, more on request. */
export function fuzzCount(usual: number): number {
  return Number(process.env['EDDY_FUZZ_COUNT'] ?? usual);
}
