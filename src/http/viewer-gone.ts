import { EddyError } from '../errors.ts';

/** Why an answer is no longer wanted. */
export function viewerGone(): EddyError {
  return new EddyError('client-gone', 'the viewer closed the connection', { side: 'downstream' });
}
