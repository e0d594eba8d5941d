/** Lets go of a body nobody will read: what the origin gave for one request alone is of no use to others. */
export async function letGo({ body }: { readonly body: AsyncIterable<Buffer> }): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}
