import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ObjectBytes, objectBytesMax, objectTarget } from '../objects.ts';
import { freePort } from '../rig.ts';
import { answers } from '../verify.ts';
import { type Server, type ServerOptions, serverOf } from './server.ts';

const program = fileURLToPath(new URL('../raw-server.ts', import.meta.url));

/** Not a cache: the page-cache read limit of the runtime. Serves these objects from files. */
export async function startRaw(
  { rig }: ServerOptions,
  objects: readonly { readonly bytes: number; readonly name: string }[],
): Promise<Server> {
  const directory = rig.makeDirectory('raw');
  const contents = new ObjectBytes(objectBytesMax);
  for (const { bytes, name } of [...objects, { bytes: 1, name: 'ready' }]) {
    const file = join(directory, objectTarget(bytes, name).replaceAll('/', '_'));
    writeFileSync(file, contents.slice(name, 0, bytes - 1));
  }
  const port = await freePort();
  const running = rig.start([process.execPath, program, String(port), directory], { core: rig.serverCore });
  const http = `http://127.0.0.1:${port}`;
  await answers(http, running);
  return serverOf([running], {
    name: 'page cache limit',
    product: 'raw',
    version: `Node ${process.versions.node}`,
    reference: true,
    http,
    https: undefined,
    isHit: (fields) => fields.get('x-cache') === 'HIT',
  });
}
