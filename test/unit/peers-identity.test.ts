import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joinedCell, openCell } from '../../src/peers/cell/cell-key.ts';
import {
  credentialFault,
  decodeCredential,
  encodeCredential,
  issueCredential,
} from '../../src/peers/cell/credential.ts';
import { openIdentity, passingIdentity } from '../../src/peers/cell/identity.ts';

const keyHex = 'c0'.repeat(32);
const nowMs = 1_800_000_000_000;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'eddy-identity-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('the identity of a node', () => {
  it('is the same after a restart and readable by its owner alone', async () => {
    const file = join(directory, 'deep', 'identity');
    const first = await openIdentity(file);
    const second = await openIdentity(file);
    expect(second.peerId).toBe(first.peerId);
    expect(first.peerId).toMatch(/^12D3KooW/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('is refused with the name of the file when it is damaged', async () => {
    const file = join(directory, 'damaged');
    await writeFile(file, 'not a key\n');
    await expect(openIdentity(file)).rejects.toThrow(file);
  });
});

describe('a credential', () => {
  it('makes one peer id a member until it expires', async () => {
    const cell = await openCell('school', keyHex);
    const [{ peerId }, other] = [await passingIdentity(), await passingIdentity()];
    const issued = await issueCredential(cell, { peerId, expiresMs: nowMs + 60_000 });
    const shown = decodeCredential(encodeCredential(issued), peerId);
    expect(shown).toEqual(issued);
    if (shown === undefined) return;
    expect(await credentialFault(cell, shown, { peerId, nowMs })).toBeUndefined();
    expect(await credentialFault(cell, shown, { peerId: other.peerId, nowMs })).toBe('another peer');
    expect(await credentialFault(cell, { ...shown, peerId: other.peerId }, { peerId: other.peerId, nowMs })).toBe(
      'not signed by the cell',
    );
    expect(await credentialFault(cell, shown, { peerId, nowMs: nowMs + 3_600_000 })).toBe('expired');
    expect(await credentialFault(cell, { ...shown, expiresMs: nowMs + 120_000 }, { peerId, nowMs })).toBe(
      'not signed by the cell',
    );
  });

  it('of another key or another name is worth nothing', async () => {
    const cell = await openCell('school', keyHex);
    const { peerId } = await passingIdentity();
    for (const stranger of [await openCell('school', 'c1'.repeat(32)), await openCell('office', keyHex)]) {
      const credential = await issueCredential(stranger, { peerId, expiresMs: nowMs + 60_000 });
      expect(stranger.tag).not.toBe(cell.tag);
      expect(await credentialFault(cell, credential, { peerId, nowMs })).toBe('not signed by the cell');
    }
  });

  it('is checked, but not issued, by a node that has no cell key', async () => {
    const cell = await openCell('school', keyHex);
    const joined = joinedCell('school', cell.publicKey.raw);
    const { peerId } = await passingIdentity();
    const credential = await issueCredential(cell, { peerId, expiresMs: nowMs + 60_000 });
    expect(joined.tag).toBe(cell.tag);
    expect(await credentialFault(joined, credential, { peerId, nowMs })).toBeUndefined();
    await expect(issueCredential(joined, { peerId, expiresMs: nowMs })).rejects.toThrow('school');
  });

  it('needs a key of 32 bytes in hex', async () => {
    await expect(openCell('school', 'abc')).rejects.toThrow('64 hex digits');
    await expect(openCell('', keyHex)).rejects.toThrow('1 to 64');
  });
});
