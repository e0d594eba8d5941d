import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';

/** A certificate that no client has reason to trust. P-256: the handshake weighs little beside what is measured. */
export async function writeCertificate(directory: string): Promise<{ certFile: string; keyFile: string }> {
  const pems = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
  });
  const [certFile, keyFile] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')];
  writeFileSync(certFile, pems.cert);
  writeFileSync(keyFile, pems.private, { mode: 0o644 });
  return { certFile, keyFile };
}
