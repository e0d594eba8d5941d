import { resolve } from 'node:path';
import type { Config, ConfigKey, ConfigValues } from '../config.ts';
import { type CellCredential, parseCredential } from './cell-credential.ts';
import type { LoadOptions } from './load.ts';

/** What the values are held against: each other, the machine, and the files they name. */
export interface CrossChecks extends Omit<LoadOptions, 'argv' | 'env'> {
  /** Keys that were given: how they are named in errors, and the precedence of where they were (file 0, flags 2). */
  readonly given: Map<ConfigKey, { readonly rank: number; readonly name: string }>;
}

/** Values that are each valid, what they are held against, and what is wrong with them together. */
export interface Checked {
  readonly values: Partial<ConfigValues>;
  readonly checks: CrossChecks;
  readonly errors: string[];
}

export function tlsOf({ values, checks, errors }: Checked): Config['tls'] {
  const { tlsCert, tlsKey, https } = values;
  const { given } = checks;
  for (const [one, other] of [['tlsCert', 'tlsKey'] as const, ['tlsKey', 'tlsCert'] as const]) {
    if (given.has(one) && !given.has(other))
      errors.push(`${other} is missing: must be given with ${given.get(one)?.name}`);
  }
  if (https && https.length > 0 && !given.has('tlsCert') && !given.has('tlsKey')) {
    errors.push(`tlsCert and tlsKey are missing: must be given with ${given.get('https')?.name}`);
  }
  if (given.has('tlsCert') && https?.length === 0) {
    errors.push(`https is missing: must be given with ${given.get('tlsCert')?.name}, or nothing uses the certificate`);
  }
  const cert = readPem('tlsCert', { values, checks, errors });
  const key = readPem('tlsKey', { values, checks, errors });
  if (!cert || !key || tlsCert === undefined || tlsKey === undefined) return undefined;
  return { certFile: resolve(tlsCert), keyFile: resolve(tlsKey) };
}

function readPem(key: 'tlsCert' | 'tlsKey', checked: Checked): boolean {
  const what = key === 'tlsCert' ? 'CERTIFICATE' : 'PRIVATE KEY';
  const text = readGiven(key, checked);
  if (text === undefined) return false;
  if (new RegExp(`-----BEGIN [A-Z ]*${what}-----`).test(text)) return true;
  complain(key, checked, `a PEM file with a ${what.toLowerCase()}`);
  return false;
}

export function tokenOf(checked: Checked): string | undefined {
  const { values, checks, errors } = checked;
  const direct = checks.given.get('adminToken');
  const file = checks.given.get('adminTokenFile');
  if (direct !== undefined && direct.rank === file?.rank) {
    errors.push(`${direct.name} and ${file.name} are both given: must be one of them`);
  }
  if (file === undefined || (direct !== undefined && direct.rank > file.rank)) return values.adminToken;
  const token = readGiven('adminTokenFile', checked)?.trim();
  if (token === undefined) return undefined;
  if (token !== '' && token.length <= 1024 && !/\p{Cc}/u.test(token)) return token;
  complain('adminTokenFile', checked, 'a file with the secret on one line, 1 to 1024 characters');
  return undefined;
}

export function cellOf(checked: Checked): Config['cell'] {
  const { values, checks, errors } = checked;
  const { given } = checks;
  const [cell, cellKey, cellCredential] = [given.get('cell'), given.get('cellKey'), given.get('cellCredential')];
  if (cellKey !== undefined && cellCredential !== undefined)
    errors.push(`${cellKey.name} and ${cellCredential.name} are both given: must be one of them`);
  const proof = cellKey ?? cellCredential;
  if (cell !== undefined && proof === undefined)
    errors.push(
      `cellKey (--cell-key) is missing: must be a file with 64 hex digits, given with ${cell.name}, or cellCredential (--cell-credential) instead`,
    );
  if (cell === undefined && proof !== undefined)
    errors.push(`cell (--cell) is missing: must be given with ${proof.name}`);
  const key = cellKeyOf(checked);
  const credential = cellCredentialOf(checked);
  const { cell: name } = values;
  if (name === undefined) return undefined;
  if (key !== undefined) return { name, key };
  return credential && { name, credential };
}

function cellKeyOf(checked: Checked): Uint8Array | undefined {
  const text = readGiven('cellKey', checked)?.trim();
  if (text === undefined) return undefined;
  if (/^[0-9A-Fa-f]{64}$/.test(text)) return Buffer.from(text, 'hex');
  complain('cellKey', checked, 'a file that holds 32 bytes as 64 hex digits, as "openssl rand -hex 32" makes it');
  return undefined;
}

function cellCredentialOf(checked: Checked): CellCredential | undefined {
  const text = readGiven('cellCredential', checked);
  if (text === undefined) return undefined;
  const credential = parseCredential(text);
  const { cell } = checked.values;
  if (credential === undefined) complain('cellCredential', checked, 'a file as "eddy credential" makes it');
  else if (cell !== undefined && credential.cell !== cell)
    complain('cellCredential', checked, `a credential for the cell ${cell}, not for ${credential.cell}`);
  return credential;
}

type FileKey = 'tlsCert' | 'tlsKey' | 'adminTokenFile' | 'cellKey' | 'cellCredential';

/** Text of the file that a key names; undefined when it is not given or, with a complaint, cannot be read. */
function readGiven(key: FileKey, checked: Checked): string | undefined {
  const path = checked.values[key];
  if (path === undefined) return undefined;
  try {
    return checked.checks.readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    complain(key, checked, `a file that can be read (${code ?? String(error)})`);
    return undefined;
  }
}

/** Files are named, what is in them is not shown. */
function complain(key: ConfigKey, { values, checks, errors }: Checked, right: string): void {
  errors.push(`${checks.given.get(key)?.name ?? key} is ${JSON.stringify(values[key])}: must be ${right}`);
}
