import { defineConfig } from 'vitest/config';

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
        // Files share what they import, which takes long to load.
        test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: ALONE, isolate: false },
      },
      { extends: true, test: { name: 'alone', include: ALONE } },
    ],
  },
});
