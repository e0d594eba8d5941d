import { readFileSync } from 'node:fs';

const packageJson: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Version of this program, as in package.json. */
export const version: string = (packageJson as { version: string }).version;
