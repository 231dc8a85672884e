import { resolve, sep } from 'node:path';
import { defineConfig } from 'vitest/config';
import { boundImports } from '../.build/bind-imports.mjs';

const root = resolve(import.meta.dirname, '..');
const src = resolve(root, 'src') + sep;

/**
 * Tests import the sources and get what the build has made of them: the program that people run,
 * loaded by Node itself, which takes a third less time. With SOURCES=1 they get the sources, for a
 * debugger or `--watch`.
 */
const built = {
  name: 'built',
  enforce: 'pre' as const,
  resolveId(id: string, from?: string) {
    const path = from && id.startsWith('.') ? resolve(from, '..', id) : '';
    if (!path.startsWith(src) || process.env.SOURCES) return null;
    const file = path.slice(src.length).replace(/ts$/, 'js');
    return { id: resolve(root, 'dist', file), external: true };
  },
};

/** Replaces a module, which nobody else may see; measures memory, in which a large parent shows. */
const ALONE = [
  'test/conformance/second-mode.test.ts',
  'test/validation/laws-dirty-log.test.ts',
  'test/cli/trace.test.ts',
];

export default defineConfig({
  test: {
    globalSetup: ['test/support/build.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // For two cores: some tests wait for others' programs, a cluster among them.
    maxWorkers: 3,
    // The built program is run as it is.
    server: { deps: { external: [/\/dist\//] } },
    projects: [
      {
        extends: true,
        plugins: [built, boundImports],
        // Files share what they import, which takes long to load.
        test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: ALONE, isolate: false },
      },
      { extends: true, plugins: [boundImports], test: { name: 'alone', include: ALONE } },
    ],
  },
});
