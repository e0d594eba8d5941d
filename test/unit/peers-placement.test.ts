import { describe, expect, it } from 'vitest';
import { digestBytes, HeldDigest, PeerDigest } from '../../src/peers/members/digest.ts';
import { groupOf, Placement, windowBytes } from '../../src/peers/members/placement.ts';

const groups = Array.from({ length: 10_000 }, (_, i) => groupOf(`m /video-${i % 100}/segment.m4s`, i * 100_000));
const members = (count: number) => Array.from({ length: count }, (_, i) => ({ peerId: `peer-${i}`, weight: 1 }));

function owners(placement: Placement): string[] {
  return groups.map((group) => placement.order(group)[0] ?? '');
}

function shares(placement: Placement): Map<string, number> {
  const counts = new Map<string, number>();
  for (const owner of owners(placement)) counts.set(owner, (counts.get(owner) ?? 0) + 1 / groups.length);
  return counts;
}

describe('placement', () => {
  it('puts bytes of one window together and windows apart', () => {
    expect(groupOf('k', 0)).toBe(groupOf('k', windowBytes - 1));
    expect(groupOf('k', windowBytes)).not.toBe(groupOf('k', 0));
    expect(groupOf('k', 0)).not.toBe(groupOf('l', 0));
  });

  it('orders all members, alike on every node', () => {
    const one = new Placement(members(5));
    const other = new Placement(members(5).reverse());
    for (const group of groups.slice(0, 200)) {
      expect(one.order(group)).toEqual(other.order(group));
      expect(new Set(one.order(group)).size).toBe(5);
    }
  });

  it.each([2, 5, 20])('is balanced over %i members', (count) => {
    for (const [, share] of shares(new Placement(members(count)))) {
      expect(share * count).toBeGreaterThan(0.8);
      expect(share * count).toBeLessThan(1.2);
    }
  });

  it('follows the weights', () => {
    const weighted = shares(new Placement([...members(3), { peerId: 'large', weight: 3 }]));
    expect(weighted.get('large')).toBeGreaterThan(0.47);
    expect(weighted.get('large')).toBeLessThan(0.53);
  });

  it('moves only what a member that comes or goes leads', () => {
    const before = owners(new Placement(members(10)));
    const fewer = owners(new Placement(members(9)));
    const more = owners(new Placement(members(11)));
    const moved = before.filter((owner, i) => owner !== more[i]);
    before.forEach((owner, i) => {
      if (owner !== 'peer-9') expect(fewer[i]).toBe(owner);
      if (more[i] !== 'peer-10') expect(more[i]).toBe(owner);
    });
    expect(moved.length / groups.length).toBeLessThan(1.3 / 11);
  });

  it('goes on to the second when the first is gone', () => {
    const all = new Placement(members(10));
    const without = new Placement(members(9));
    for (const group of groups.slice(0, 500))
      expect(all.order(group).filter((peerId) => peerId !== 'peer-9')).toEqual(without.order(group));
  });
});

describe('a digest', () => {
  const held = groups.slice(0, 5_000);
  const other = groups.slice(5_000);

  function told(digest: HeldDigest): PeerDigest {
    const peer = new PeerDigest();
    expect(peer.replace(digest.full())).toBe(true);
    return peer;
  }

  it('claims all that is held and hardly anything else', () => {
    const digest = new HeldDigest();
    for (const group of groups) digest.add(group);
    const peer = told(digest);
    expect(groups.every((group) => peer.claims(group))).toBe(true);
    const wrong = groups.filter((group) => peer.claims(`${group}?`)).length;
    expect(wrong / groups.length).toBeLessThan(0.01);
    expect(new PeerDigest().claims(groups[0] ?? '')).toBe(false);
  });

  it('forgets what was removed, and only that', () => {
    const digest = new HeldDigest();
    for (const group of groups) digest.add(group);
    for (const group of other) digest.remove(group);
    const peer = told(digest);
    expect(held.every((group) => peer.claims(group))).toBe(true);
    expect(other.filter((group) => peer.claims(group)).length).toBeLessThan(20);
    for (const group of held) digest.remove(group);
    expect(digest.full()).toEqual(Buffer.alloc(digestBytes));
  });

  it('tells changes within a budget, each once', () => {
    const digest = new HeldDigest();
    const peer = told(digest);
    for (const group of held.slice(0, 100)) digest.add(group);
    let frames = 0;
    for (let changes = digest.takeChanges(1_000); changes !== undefined; changes = digest.takeChanges(1_000)) {
      expect(changes.length).toBeLessThanOrEqual(1_000);
      expect(peer.change(changes)).toBe(true);
      frames++;
    }
    expect(frames).toBeGreaterThan(3);
    expect(held.slice(0, 100).every((group) => peer.claims(group))).toBe(true);
    expect(peer.claims(held[200] ?? '')).toBe(false);
  });

  it('is not changed by what is none', () => {
    const peer = new PeerDigest();
    expect(peer.change(Buffer.alloc(66))).toBe(false);
    expect(peer.replace(Buffer.alloc(digestBytes - 1))).toBe(false);
    expect(peer.replace(Buffer.alloc(digestBytes))).toBe(true);
    expect(peer.change(Buffer.alloc(65))).toBe(false);
    expect(peer.change(Buffer.alloc(66, 0xff))).toBe(false);
    expect(peer.claims(groups[0] ?? '')).toBe(false);
  });
});
