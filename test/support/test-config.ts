import { type Config, loadConfig } from "../../src/config.ts";

/** The administrator's token of every test instance. */
export const ADMIN_TOKEN = "administrator-of-the-test-instance-0001";

/** The master key of every test instance, in hexadecimal. */
export const MASTER_KEY = "0123456789abcdef".repeat(4);

/** Which way calls go in this run of the tests: `GATEHOUSE_EDGE=stock npm test` takes the long one everywhere. */
export const edgeOfTests = loadConfig(
  { GATEHOUSE_EDGE: process.env.GATEHOUSE_EDGE },
  {},
  { serving: false },
).edge;

/** The product's own defaults, on a free port and without log lines. */
export function testConfig(overrides: Partial<Config>): Config {
  const defaults = loadConfig({
    GATEHOUSE_LISTEN: "127.0.0.1:0",
    GATEHOUSE_ADMIN_TOKEN: ADMIN_TOKEN,
    GATEHOUSE_MASTER_KEY: MASTER_KEY,
    GATEHOUSE_LOG_LEVEL: "silent",
    GATEHOUSE_EDGE: edgeOfTests,
  });
  return { ...defaults, ...overrides };
}
