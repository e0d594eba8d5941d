/** Lets go of a body nobody will read. */
export function discard({ body }: { readonly body: AsyncIterable<Buffer> }): void {
  const iterator = body[Symbol.asyncIterator]();
  void iterator.return?.().catch(() => {});
}
