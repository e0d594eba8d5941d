import { beforeEach, describe, expect, it } from 'vitest';
import { createMetrics, type Metrics } from '../../src/metrics.ts';

let metrics: Metrics;
beforeEach(() => {
  metrics = createMetrics({ version: '1.2.3' });
});

/** Samples by name and labels, as they are written. */
async function samples(): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

const hit = { method: 'GET', status: 206, hit: true, fwd: undefined, bytes: 10, durationMs: 3, firstByteMs: 0.3 };

describe('metrics', () => {
  it('have a help text each, and names that say what they count', async () => {
    const text = await metrics.text();
    const typed = [...text.matchAll(/^# TYPE (eddy_\S+) (\S+)$/gm)];
    expect(typed.length).toBeGreaterThan(15);
    for (const [, name, type] of typed) {
      expect(text).toMatch(new RegExp(`^# HELP ${name} \\S`, 'm'));
      expect(name?.endsWith('_total')).toBe(type === 'counter');
    }
    expect(text).toContain('process_resident_memory_bytes');
    expect(text).toContain(`eddy_build_info{version="1.2.3",node="${process.version}"} 1`);
  });

  it('say how busy the main thread was since they were read last', async () => {
    await samples();
    const all = await samples();
    expect(all.get('eddy_event_loop_utilization')).toBeGreaterThan(0);
    expect(all.get('eddy_event_loop_utilization')).toBeLessThanOrEqual(1);
    expect([...all.keys()].filter((name) => name.startsWith('nodejs_eventloop_lag_p'))).toEqual([]);
  });

  it('count requests under bounded labels', async () => {
    metrics.requests.started();
    metrics.requests.started();
    metrics.requests.finished(hit);
    metrics.requests.finished({ ...hit, method: 'BREW', status: 0, hit: false, fwd: 'method', firstByteMs: undefined });
    metrics.requests.started();
    for (const odd of ['miss', 'x"y', 'stale'])
      metrics.requests.finished({ ...hit, hit: false, fwd: odd, status: 7777 });
    const all = await samples();
    expect(all.get('eddy_client_requests_total{method="GET",status="206",fwd="none"}')).toBe(1);
    expect(all.get('eddy_client_requests_total{method="other",status="0",fwd="method"}')).toBe(1);
    expect(all.get('eddy_client_requests_total{method="GET",status="0",fwd="miss"}')).toBe(1);
    expect(all.get('eddy_client_requests_total{method="GET",status="0",fwd="none"}')).toBe(1);
    expect(all.get('eddy_client_body_bytes_total')).toBe(50);
    expect(all.get('eddy_client_request_duration_seconds_count')).toBe(5);
    expect(all.get('eddy_client_request_duration_seconds_bucket{le="0.005"}')).toBe(5);
    expect(all.get('eddy_client_first_byte_seconds_count')).toBe(4);
    expect(metrics.requests.totals()).toEqual({ total: 5, hits: 1, inFlight: 0, bytes: 50 });
  });

  it('show tallies as they are at each scrape, not twice', async () => {
    metrics.servedBytes.disk.add(5);
    metrics.peerRequests.out.busy.add(1);
    await samples();
    metrics.servedBytes.disk.add(5);
    const all = await samples();
    expect(all.get('eddy_served_body_bytes_total{tier="disk"}')).toBe(10);
    expect(all.get('eddy_served_body_bytes_total{tier="ram"}')).toBe(0);
    expect(all.get('eddy_peer_requests_total{direction="out",outcome="busy"}')).toBe(1);
  });

  it('read what has a present value', async () => {
    expect((await samples()).has('eddy_store_bytes{tier="ram"}')).toBe(false);
    const upstreams = [{ map: 'vod', url: 'http://a.example', up: false }];
    const stores = { ram: { bytes: 1, bytesMax: 2, pieces: 3 }, disk: { bytes: 4, bytesMax: 5, pieces: 6 } };
    metrics.readings = () => ({
      stores,
      diskWritable: true,
      connections: 7,
      ready: true,
      peers: [],
      streams: [],
      upstreams,
    });
    const all = await samples();
    expect(all.get('eddy_store_bytes{tier="ram"}')).toBe(1);
    expect(all.get('eddy_store_bytes_max{tier="disk"}')).toBe(5);
    expect(all.get('eddy_store_pieces{tier="disk"}')).toBe(6);
    expect(all.get('eddy_client_connections')).toBe(7);
    expect(all.get('eddy_origin_up{map="vod",url="http://a.example"}')).toBe(0);
    metrics.readings = () => ({
      stores,
      diskWritable: true,
      connections: 7,
      ready: true,
      peers: [],
      streams: [],
      upstreams: [],
    });
    expect([...(await samples()).keys()].some((name) => name.startsWith('eddy_origin_up'))).toBe(false);
  });
});
