/** Lets the process go on until that holds; fails after a time that only a broken test needs. */
export async function until(holds: () => boolean, what = 'what the test waits for'): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
