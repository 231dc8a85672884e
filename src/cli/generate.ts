#!/usr/bin/env node
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generatedFiles } from './generated-files.ts';

/** `npm run generate`: brings the generated files of the repository up to date. */
const root = fileURLToPath(new URL('../../', import.meta.url));
for (const { path, text } of generatedFiles(root)) writeFileSync(join(root, path), text);
