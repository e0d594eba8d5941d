import { EddyError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { type Cell, joinedCell, openCell } from './cell-key.ts';
import {
  type Credential,
  type CredentialFault,
  credentialFault,
  encodeCredential,
  expiryFault,
  issueCredential,
} from './credential.ts';

/** A credential that somebody with the cell's key issued to this node. */
export interface GivenCredential extends Omit<Credential, 'signature'> {
  /** Of the cell: 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
}

/** The cell of a node, and what proves that it is in it: the cell's key, or a credential. */
export type CellProof =
  | { readonly name: string; readonly keyHex: string }
  | { readonly name: string; readonly credential: GivenCredential };

const ownLifetimeMs = 24 * 3_600_000;
const warnBeforeMs = 7 * 24 * 3_600_000;
const warnEveryMs = 24 * 3_600_000;

/** This node's proof of being a member: issued by itself again and again, or given, and then good until it expires. */
export class Membership {
  readonly cell: Cell;
  readonly #peerId: string;
  #credential: Credential;
  #fault: CredentialFault | undefined;
  #told: CredentialFault | undefined;
  #warnedMs = Number.NEGATIVE_INFINITY;

  private constructor(
    cell: Cell,
    credential: Credential,
    about: { peerId: string; fault: CredentialFault | undefined },
  ) {
    this.cell = cell;
    this.#credential = credential;
    this.#peerId = about.peerId;
    this.#fault = about.fault;
  }

  /** A credential that does not count is no error: it may be replaced. Rejects when the key or the name cannot be used. */
  static async open(proof: CellProof, peerId: string): Promise<Membership> {
    if ('credential' in proof) {
      const cell = joinedCell(proof.name, proof.credential.publicKey);
      const credential = credentialOf(proof.credential);
      return new Membership(cell, credential, { peerId, fault: await lastingFault(cell, credential, peerId) });
    }
    const cell = await openCell(proof.name, proof.keyHex);
    const credential = await issueCredential(cell, { peerId, expiresMs: Date.now() + ownLifetimeMs });
    return new Membership(cell, credential, { peerId, fault: undefined });
  }

  /** Why this node is no member now; undefined: it is one. */
  fault(nowMs: number): CredentialFault | undefined {
    return this.#fault ?? expiryFault(this.#credential.expiresMs, nowMs);
  }

  get expiresMs(): number {
    return this.#credential.expiresMs;
  }

  /** What to show to others, encoded. */
  shown(): Buffer {
    return encodeCredential(this.#credential);
  }

  /** Takes another credential for the same cell. Throws EddyError when it is for another. */
  async replace(given: GivenCredential): Promise<void> {
    if (
      this.cell.privateKey !== undefined ||
      !this.cell.publicKey.equals(joinedCell(this.cell.name, given.publicKey).publicKey)
    )
      throw new EddyError('bad-request', 'the new credential is for another cell: that needs a restart', {
        side: 'internal',
      });
    this.#credential = credentialOf(given);
    this.#fault = await lastingFault(this.cell, this.#credential, this.#peerId);
    this.#warnedMs = Number.NEGATIVE_INFINITY;
  }

  /** Whoever has the cell's key issues itself another one in good time. Resolves to whether there is a new one. */
  async renew(nowMs: number): Promise<boolean> {
    if (this.cell.privateKey === undefined || this.expiresMs - nowMs > ownLifetimeMs / 2) return false;
    this.#credential = await issueCredential(this.cell, { peerId: this.#peerId, expiresMs: nowMs + ownLifetimeMs });
    return true;
  }

  /** Tells operators once when this node ceases to be a member, or is one again, and each day of the week before. */
  report(nowMs: number, log: Log): void {
    const fault = this.fault(nowMs);
    const about = { peerId: this.#peerId, expires: new Date(this.expiresMs).toISOString() };
    if (fault !== undefined && fault !== this.#told)
      log.error(
        { ...about, reason: fault },
        'the cell credential does not count: this node has no peers until it is replaced',
      );
    else if (fault === undefined && this.#told !== undefined) log.info(about, 'the cell credential counts again');
    this.#told = fault;
    if (fault !== undefined || this.cell.privateKey !== undefined || this.expiresMs - nowMs > warnBeforeMs) return;
    if (nowMs - this.#warnedMs < warnEveryMs) return;
    this.#warnedMs = nowMs;
    log.warn(about, 'the cell credential expires soon');
  }
}

function credentialOf({ peerId, expiresMs, signature }: GivenCredential): Credential {
  return { peerId, expiresMs, signature: Buffer.from(signature) };
}

/** What time does not change. */
async function lastingFault(cell: Cell, credential: Credential, peerId: string): Promise<CredentialFault | undefined> {
  const fault = await credentialFault(cell, credential, { peerId, nowMs: credential.expiresMs });
  return fault === 'expired' || fault === 'too far ahead' ? undefined : fault;
}
