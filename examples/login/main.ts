import { parseArgs } from "node:util";
import { untilStopSignal } from "../../src/cli/stop-signal.ts";
import { startDemoGatehouse } from "./demo-gatehouse.ts";
import { startLoginServer } from "./login-server.ts";

/** `npm run example:login`: a Gatehouse with one person in it, and a login page to sign in at. */

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8090" },
    "data-dir": { type: "string", default: "./data/example-login" },
  },
});
const { GATEHOUSE_URL, GATEHOUSE_TOKEN } = process.env;
const say = (line: string) => process.stdout.write(`${line}\n`);

// Asked for first: a signal during the start waits for its end, or a half-made database would stay behind.
const stopSignal = untilStopSignal();
const gatehouse = await openGatehouse();
const loginServer = await startLoginServer({
  gatehouseUrl: gatehouse.url,
  loginClientToken: gatehouse.loginClientToken,
  port: Number(values.port),
  deliver: say,
}).catch(async (error: Error) => {
  await gatehouse.close();
  say(`The login page cannot be served: ${error.message}. Choose another port with --port.`);
  process.exit(1);
});

say("");
say(`  Sign in at      ${loginServer.origin}`);
for (const line of gatehouse.who) say(`  ${line}`);
say("");
say("  Codes by e-mail and SMS are printed here: this terminal is the mailbox and the phone.");
say("");

await stopSignal;
await loginServer.close();
await gatehouse.close();

/** The running Gatehouse that the environment names, whose people are left as they are; else one of our own. */
async function openGatehouse() {
  if (GATEHOUSE_URL === undefined) {
    const demo = await startDemoGatehouse(values["data-dir"]);
    return { ...demo, who: [`Login name      ${demo.loginName}`, `Password        ${demo.password}`] };
  }
  if (GATEHOUSE_TOKEN === undefined) {
    say("GATEHOUSE_URL is set and GATEHOUSE_TOKEN is not: give the token of a user with IAM_LOGIN_CLIENT");
    process.exit(1);
  }
  return {
    url: GATEHOUSE_URL,
    loginClientToken: GATEHOUSE_TOKEN,
    who: [`as one of        the people of ${GATEHOUSE_URL}`],
    close: async () => {},
  };
}
