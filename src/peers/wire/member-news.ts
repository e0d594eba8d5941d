import { encodeFrame } from './frames.ts';
import { encodeJson, type MemberNews, membersMax } from './messages.ts';

const membersPerFrame = 64;

/** What a member tells of itself, first, and of those it has a link with. */
export function newsFrames(self: MemberNews, others: readonly MemberNews[]): Buffer[] {
  const news = [...(self.addresses.length > 0 ? [self] : []), ...others].slice(0, membersMax);
  const frames: Buffer[] = [];
  for (let at = 0; at < news.length; at += membersPerFrame)
    frames.push(encodeFrame('members', encodeJson(news.slice(at, at + membersPerFrame))));
  return frames;
}
