import { writeFileSync } from 'node:fs';
import { configJsonSchema } from './json-schema.ts';

// Run by `npm run schema`.
writeFileSync(new URL('../../config/eddy.schema.json', import.meta.url), configJsonSchema());
