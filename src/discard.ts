/** Lets go of a body that nobody will read. Nobody waits for that, nor hears of its failure. */
export function discard({ body }: { readonly body: AsyncIterable<unknown> }): void {
  const iterator = body[Symbol.asyncIterator]();
  void iterator.return?.().catch(() => {});
}
