import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const executablePath = '/usr/bin/chromium';
/** Whether tests with a browser are to be skipped, which it says: there is none, and EDDY_REQUIRE_CHROMIUM is not 1. */
export function skipsBrowser(): boolean {
  if (existsSync(executablePath) || process.env['EDDY_REQUIRE_CHROMIUM'] === '1') return false;
  console.warn(`Player tests are skipped: no Chromium at ${executablePath}. With EDDY_REQUIRE_CHROMIUM=1 they fail.`);
  return true;
}

/** Chromium without a window, and without anything that it does on its own. Its media decoders are software. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
}
