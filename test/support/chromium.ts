import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Debian's chromium, where it is installed. */
const path = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);

export const hasChromium = path !== undefined;

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: path!, args: ['--no-sandbox', '--disable-gpu'] });
}
