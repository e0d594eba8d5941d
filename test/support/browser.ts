import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const executablePath = '/usr/bin/chromium';
const isRequired = process.env['EDDY_REQUIRE_CHROMIUM'] === '1';

/** Why there is no browser to test with; undefined when there is one, or when there has to be one. */
export const noBrowser: string | undefined =
  existsSync(executablePath) || isRequired
    ? undefined
    : `skipped: no Chromium at ${executablePath}; with EDDY_REQUIRE_CHROMIUM=1 this fails instead`;

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
