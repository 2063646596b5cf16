import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/each-file.ts"],
    // A worker's next file finds everything imported and compiled; it took as much time as the tests. What a module
    // keeps outlives a file, then: no module but a test file says `beforeEach` and the like (test/support/leftovers.ts).
    isolate: false,
    // Two cores: more workers than that only make each other wait for PGlite and PostgreSQL.
    maxWorkers: 2,
    // For a test that hangs. One that takes ten seconds takes four times that on a machine that is busy otherwise.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
