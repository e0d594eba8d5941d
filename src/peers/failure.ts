import { EddyError } from '../errors.ts';

/** What went wrong with a peer; also the outcome under which it is counted. */
export type PeerFailure = 'timeout' | 'broken' | 'corrupt' | 'aborted';

/** A failure of a peer as the rest of Eddy knows errors. Another peer or the origin can always be asked instead. */
export class PeerError extends EddyError {
  readonly failure: PeerFailure;

  constructor(failure: PeerFailure, message: string, cause?: unknown) {
    super(failure === 'aborted' ? failure : `peer-${failure}`, message, {
      side: 'peer',
      ...(cause !== undefined && { cause }),
    });
    this.name = 'PeerError';
    this.failure = failure;
  }
}
