import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { createSecureContext } from 'node:tls';
import { messageOf } from '../errors.ts';
import type { ViewerLog } from './exchange/exchange.ts';

export interface CertificateFiles {
  /** PEM, the chain with the leaf first. */
  readonly certFile: string;
  readonly keyFile: string;
}

interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Renewals write two files, and more than once: look at them when they have been quiet for so long. */
const settleMs = 100;

/** Reads both files and checks that they belong together; throws an error that names them otherwise. */
export async function loadCertificate({ certFile, keyFile }: CertificateFiles): Promise<Certificate> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (cause) {
    throw new Error(`certificate ${certFile} with key ${keyFile} cannot be used: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Calls `onLoaded` with each new valid pair. One that cannot be used is logged and the old one stays in use.
 * Returns how to stop.
 */
export function watchCertificate(
  files: CertificateFiles,
  { onLoaded, log }: { onLoaded: (certificate: Certificate) => void; log: ViewerLog },
): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const load = async () => {
    try {
      const certificate = await loadCertificate(files);
      if (stopped) return;
      onLoaded(certificate);
      log.info({ certFile: files.certFile }, 'certificate reloaded');
    } catch (error) {
      log.error({ err: error }, 'the changed certificate cannot be used, the old one stays');
    }
  };
  const onChange = () => {
    clearTimeout(timer);
    timer = setTimeout(load, settleMs).unref();
  };
  const watchers = watchFolders(files, { onChange, log });
  return () => {
    stopped = true;
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}

/** The folders are watched, not the files: renewals replace files, and orchestrators replace a link beside them. */
function watchFolders(
  { certFile, keyFile }: CertificateFiles,
  { onChange, log }: { onChange: () => void; log: ViewerLog },
): FSWatcher[] {
  const names = new Set([basename(certFile), basename(keyFile)]);
  return [...new Set([dirname(certFile), dirname(keyFile)])].map((folder) => {
    const watcher = watch(folder, { persistent: false }, (_event, name) => {
      if (name === null || names.has(name) || name.startsWith('..')) onChange();
    });
    watcher.on('error', (error) => log.error({ err: error, folder }, 'certificate changes are no longer seen'));
    return watcher;
  });
}
