import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../support/chromium.ts";
import { type Person, personAt } from "./person.ts";

/** The example as a person runs it, and what its terminal shows. */
type Running = {
  child: ChildProcess;
  shown: () => string;
  origin: string;
  loginName: string;
  password: string;
};

describe("npm run example:login", () => {
  let browser: Browser;
  let dataDir: string;
  let running: Running | undefined;
  beforeAll(async () => {
    [browser, dataDir] = await Promise.all([launchChromium(), mkdtemp(join(tmpdir(), "gatehouse-example-"))]);
  });
  afterAll(async () => {
    await browser?.close();
    running?.child.kill("SIGKILL");
    await rm(dataDir, { recursive: true, force: true });
  });

  async function start(): Promise<Running> {
    const child = spawn(
      process.execPath,
      ["examples/login/main.ts", "--port", "0", "--data-dir", join(dataDir, "data")],
      { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, GATEHOUSE_URL: undefined } },
    );
    let text = "";
    child.stdout!.on("data", (chunk) => {
      text += chunk;
    });
    await expect.poll(() => text, { timeout: 50_000 }).toContain("this terminal is the mailbox");
    const shownAfter = (name: string) => new RegExp(`${name} +(\\S+)`).exec(text)![1]!;
    return {
      child,
      shown: () => text,
      origin: shownAfter("Sign in at"),
      loginName: shownAfter("Login name"),
      password: shownAfter("Password"),
    };
  }

  async function stop({ child }: Running): Promise<void> {
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
  }

  test("signs its person in, prints the codes, stops on request, and remembers at the next start", async () => {
    running = await start();
    const { origin, loginName, password } = running;
    let person: Person = await personAt(browser, origin);
    await person.enterLoginName(loginName);
    await person.enterPassword(password);
    await person.button("Set up: Code by e-mail").click();
    await person.button("Confirm a second factor").click();
    await person.button("Send a code").click();
    await person.field("Code from the e-mail").waitFor();
    const code = /E-mail to mia@example\.com: (\S+) is your code/.exec(running.shown())![1]!;
    await person.field("Code from the e-mail").fill(code);
    await person.button("Confirm").click();
    await person.factor("Code by e-mail").waitFor();
    await person.leave();
    await stop(running);
    expect((await stat(join(dataDir, "data/example-login.json"))).mode & 0o777).toBe(0o600);

    running = await start();
    expect(running).toMatchObject({ loginName, password });
    person = await personAt(browser, running.origin);
    await person.enterLoginName(loginName);
    await person.enterPassword(password);
    await person.page.getByRole("heading", { name: "Confirm that it is you" }).waitFor();
    await person.leave();
    await stop(running);
  });
});
