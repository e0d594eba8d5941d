import { describe, expect, it } from 'vitest';
import { startAdmin } from '../../src/http/admin/admin.ts';
import { createMetrics } from '../../src/metrics.ts';
import { launchBrowser, skipsBrowser } from '../support/browser.ts';

describe.skipIf(skipsBrowser())('the console in a browser', () => {
  it('draws a graph for each live channel that is followed', { timeout: 60_000 }, async () => {
    const channel = {
      ...{ url: '/live/<b>main</b>.m3u8', kind: 'll-hls', role: 'member', waiting: 0, mediaSequence: 5, part: 1 },
      ...{ viewers: 512, edgeLagMs: 1_500, windowSeconds: 20, ageMs: 10 },
    };
    let requests = 1_000;
    const streams = () => {
      requests += 100;
      return { streams: [{ ...channel, requests, upstreamRequests: 10 }] };
    };
    const bytes = { client: 0, ram: 0, disk: 0, peer: 0, origin: 0 };
    const admin = await startAdmin({
      listen: { host: '127.0.0.1', port: 0 },
      metrics: createMetrics({ version: '0.0.0' }),
      status: () => ({ version: '0.0.0', ready: true, bytes, offload: 1, tiers: {}, uptimeSeconds: 1 }),
      peers: () => ({ peers: [] }),
      streams,
      readiness: () => ({ ready: true, reasons: [] }),
      purge: async () => 0,
      log: { info: () => {}, error: () => {} },
    });
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
      await page.goto(admin.url);
      await page.waitForSelector('#channels .channel path.lag', { state: 'attached', timeout: 30_000 });
      const text = await page.locator('#channels .channel').innerText();
      // Text from the API is text.
      expect(text).toContain('/live/<b>main</b>.m3u8');
      expect(text).toContain('1.5 s behind the edge');
      expect(text).toContain('512 viewers');
      expect(text).toContain('window 20.0 s');
      expect(text).toMatch(/100 of 100 requests \(100\.0%\) not sent upstream/);
      expect(await page.locator('#channels-card').isVisible()).toBe(true);
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
      await admin.close();
    }
  });
});
