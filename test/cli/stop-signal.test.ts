import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

const stopSignal = new URL("../../src/cli/stop-signal.ts", import.meta.url).href;

/** A process that says "ready", and after a signal its name, then closes for so long and exits with 0. */
async function start(closesForMs: number) {
  const script = `
    import { untilStopSignal } from ${JSON.stringify(stopSignal)};
    const stopped = untilStopSignal();
    setInterval(() => {}, 1_000);
    console.log("ready");
    console.log(await stopped);
    setTimeout(() => process.exit(0), ${closesForMs});`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const said = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => output.includes(text) && resolve();
      child.stdout.on("data", look);
      look();
    });
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    output += chunk;
  });
  await said("ready");
  return { child, said, exit: once(child, "exit") };
}

test.each(["SIGTERM", "SIGINT"] as const)("%s lets the process finish and exit with 0", async (signal) => {
  const { child, said, exit } = await start(50);
  child.kill(signal);
  await said(signal);
  expect(await exit).toEqual([0, null]);
});

test("a second signal ends it at once with 1", async () => {
  const { child, said, exit } = await start(60_000);
  child.kill("SIGTERM");
  await said("SIGTERM");
  // Again and again, since one too soon counts as the echo of the first.
  const again = setInterval(() => child.kill("SIGINT"), 20);
  expect(await exit.finally(() => clearInterval(again))).toEqual([1, null]);
});

test("the echo of one key press is not a second signal", async () => {
  const { child, said, exit } = await start(100);
  child.kill("SIGINT");
  await said("SIGINT");
  child.kill("SIGINT");
  expect(await exit).toEqual([0, null]);
});
