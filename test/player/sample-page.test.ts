import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser, skipsBrowser } from '../support/browser.ts';
import { type Eddy, startEddy } from '../support/eddy.ts';

describe.skipIf(skipsBrowser())('the page of the built-in sample', { timeout: 60_000 }, () => {
  let browser: Browser;
  let node: Eddy;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    [browser, node] = await Promise.all([launchBrowser(), startEddy([])]);
  });
  afterAll(async () => {
    await browser?.close();
    await node?.stop();
  });
  beforeEach(async () => {
    complaints = [];
    page = await (await browser.newContext()).newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol.startsWith('http') && origin !== new URL(node.http).origin) complaints.push(request.url());
    });
  });
  afterEach(() => page.context().close());

  const playsTo = (seconds: number) =>
    page.locator('video').evaluate((element, target) => {
      const video = element as unknown as { currentTime: number; ontimeupdate: (() => void) | null };
      return new Promise<void>((resolve) => {
        video.ontimeupdate = () => video.currentTime >= target && resolve();
      });
    }, seconds);
  const rowsOf = (table: string) => page.locator(`${table} tr`).allInnerTexts();
  const origin = () => new URL(node.http).origin;

  it.each([
    ['hls-ts', 'hls.js'],
    ['hls-fmp4', 'hls.js'],
    ['hls-byte-range', 'hls.js'],
    ['dash-template', 'dash.js'],
    ['dash-single', 'dash.js'],
    ['live', 'hls.js'],
  ])('plays %s with %s and says where it came from', async (stream, player) => {
    await page.goto(`${origin()}/`);
    await page.locator(`#play-${stream}`).click();
    await page.getByText(`with ${player}`).waitFor();
    await playsTo(1);
    expect(await page.locator('#problem').isHidden()).toBe(true);
    // A live channel is short when it is young: the rest of the rows come as it goes on.
    const rows = async () => (await rowsOf('#requests')).filter((row) => row.includes('eddy;'));
    await expect.poll(async () => (await rows()).length).toBeGreaterThan(2);
    for (const row of await rows()) expect(row).toMatch(/\t(ram|disk|origin)\teddy; (hit|fwd=)/);
    expect(complaints).toEqual([]);
  });

  it('shows a second play coming from the cache, and the figures that follow from it', async () => {
    await page.goto(`${origin()}/#hls-ts`);
    await playsTo(1);
    const rows = page.locator('#requests tr');
    await rows.nth(11).waitFor();
    const first = await rowsOf('#requests');
    await page.locator('#play-hls-ts').click();
    await rows.nth(first.length + 11).waitFor();
    const pathOf = (row: string) => row.split('\t')[1];
    const seen = new Set(first.map(pathOf));
    // Another rendition may be chosen this time; what was played before is kept.
    const again = (await rowsOf('#requests')).slice(0, -first.length).filter((row) => seen.has(pathOf(row)));
    expect(again.length).toBeGreaterThan(3);
    for (const row of again) expect(row).toMatch(/\tram\teddy; hit; ttl=\d+; detail=ram$/);
    const [ram = ''] = await rowsOf('#tiers');
    expect(Number(/^ram\t(\d+)/.exec(ram)?.[1])).toBeGreaterThanOrEqual(again.length);
    await page.locator('#offload', { hasText: /^[1-9]\d*\.\d%$/ }).waitFor();
    expect(await page.locator('#node').textContent()).toMatch(/^Eddy \d+\.\d+\.\d+ · up \d+ s$/);
    expect(complaints).toEqual([]);
  });
});
