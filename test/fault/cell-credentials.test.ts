import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { credentialText, parseCredential } from '../../src/config/cell-credential.ts';
import { openCell } from '../../src/peers/cell/cell-key.ts';
import { issueCredential } from '../../src/peers/cell/credential.ts';
import { type CellNode, metric, ProcessCell, peersOf } from '../support/cell.ts';
import { fetchChecked } from '../support/cell-fetch.ts';
import { cellMedia, coldPath, KnownBytes } from '../support/cell-media.ts';
import { CellOrigin } from '../support/cell-origin.ts';
import { type Eddy, runEddy, startEddy } from '../support/eddy.ts';
import { soon } from '../support/until.ts';

const known = new KnownBytes();
/** Clocks may differ by this much: a credential counts that much longer than it says. */
const skewMs = 5 * 60_000;
let origin: CellOrigin;
let cell: ProcessCell;
let member: CellNode;

beforeAll(async () => {
  origin = await CellOrigin.start();
  cell = await ProcessCell.start(1, ['--origin', origin.url]);
  member = cell.nodes[0] as CellNode;
}, 60_000);

afterAll(async () => {
  await cell?.close();
  origin?.close();
});

const view = (http: string, path: string) => fetchChecked(http, path, { agent: false, known, media: cellMedia });

/** A node that has no cell key, and a way to give it credentials. */
class Guest {
  readonly data: string;
  readonly file: string;
  peerId = '';
  #node: Eddy | undefined;

  constructor(name: string) {
    this.data = join(cell.directory, name);
    this.file = join(cell.directory, `${name}.json`);
  }

  get node(): CellNode {
    if (this.#node === undefined) throw new Error('not started');
    return { ...this.#node, peerId: this.peerId, adminToken: undefined };
  }

  async learnPeerId(): Promise<this> {
    this.peerId = (await runEddy(['identity', '--data', this.data])).stdout.trim();
    return this;
  }

  /** By the command that operators use. */
  async issue(days: number, peerId = this.peerId): Promise<void> {
    const about = ['--cell', cell.name, '--cell-key', cell.keyFile, '--peer-id', peerId, '--days', String(days)];
    const { stdout, stderr, code } = await runEddy(['credential', ...about]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await writeFile(this.file, stdout);
  }

  /** One that counts for that long yet. */
  async issueFor(leftMs: number): Promise<void> {
    const own = await openCell(cell.name, await readFile(cell.keyFile, 'utf8'));
    const expiresMs = Date.now() - skewMs + leftMs;
    const { signature } = await issueCredential(own, { peerId: this.peerId, expiresMs });
    const publicKey = own.publicKey.raw;
    await writeFile(
      this.file,
      credentialText({ cell: cell.name, publicKey, peerId: this.peerId, expiresMs, signature }),
    );
  }

  async start(): Promise<void> {
    const peer = member.peers[0] ?? '';
    const args = ['--cell', cell.name, '--cell-credential', this.file, '--peer', peer, '--origin', origin.url];
    this.#node = await startEddy([...args, '--data', this.data]);
  }

  reload(): void {
    this.node.process.kill('SIGHUP');
  }

  async says(message: string, reason: string): Promise<void> {
    await soon(() => {
      const lines = this.node.stdoutLines.filter((line) => line.includes(message) && line.includes(reason));
      expect(lines.length).toBeGreaterThan(0);
    });
  }
}

const stateAt = async (node: CellNode, of: { peerId: string }) =>
  (await peersOf(node)).find(({ peerId }) => peerId === of.peerId)?.state;

it('a node with a credential of its own is a member until it expires, and again with the next one', async () => {
  const guest = await new Guest('passing').learnPeerId();
  await guest.issue(30);
  await guest.start();
  try {
    await cell.met([member, guest.node]);
    const path = cell.pathOf([member, guest.node], (i) => coldPath(`guest-${i}`));
    expect((await view(guest.node.http, path)).fault).toBeUndefined();
    expect(await metric(guest.node, 'eddy_peer_body_bytes_total', 'direction="in"')).toBeGreaterThan(0);

    // It ends by the clock, at both ends, though the link works.
    await guest.issueFor(2_000);
    guest.reload();
    await cell.sees(member, (peers) => peers.every(({ state }) => state === 'suspect' || state === 'down'));
    await guest.says('the cell credential does not count', 'expired');
    expect(await stateAt(guest.node, member)).not.toBe('up');
    expect((await view(guest.node.http, coldPath('expired'))).fault).toBeUndefined();

    await guest.issue(1);
    guest.reload();
    await guest.says('the cell credential counts again', '');
    await cell.met([member, guest.node]);
    const { expiresMs } = parseCredential(await readFile(guest.file, 'utf8')) ?? { expiresMs: 0 };
    await guest.says('the cell credential expires soon', new Date(expiresMs).toISOString());
  } finally {
    await guest.node.kill();
  }
}, 90_000);

it('a credential of another node, or of another cell key, makes nobody a member', async () => {
  const guest = await new Guest('wrong').learnPeerId();
  await guest.issue(30, member.peerId);
  await guest.start();
  try {
    await guest.says('the cell credential does not count', 'another peer');
    expect((await view(guest.node.http, coldPath('wrong'))).fault).toBeUndefined();
    const text = await readFile(guest.file, 'utf8');
    await writeFile(guest.file, text.replace(member.peerId, guest.peerId));
    guest.reload();
    await guest.says('the cell credential does not count', 'not signed by the cell');
    expect(await peersOf(guest.node)).toEqual([]);
    expect(await stateAt(member, guest)).toBeUndefined();
    expect(await metric(guest.node, 'eddy_peer_body_bytes_total')).toBe(0);

    await guest.issue(30);
    guest.reload();
    await cell.met([member, guest.node]);
  } finally {
    await guest.node.kill();
  }
}, 90_000);
