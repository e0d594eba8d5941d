/** How many of `count` things are at the start for which it holds; it holds for none behind the first for which it does not. */
export function partitionPoint(count: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
