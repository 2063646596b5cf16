import { Code, ConnectError } from "@connectrpc/connect";
import { URI } from "otpauth";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { gatehouseClients } from "../../examples/login/api/gatehouse-clients.ts";
import { type LoginServer, startLoginServer } from "../../examples/login/login-server.ts";
import { launchChromium } from "../support/chromium.ts";
import { type House, PASSWORD, startHouse, WRONG_PASSWORD } from "../support/fixtures.ts";
import { type Person, personAt } from "./person.ts";

const STEP_MS = 30_000;

describe("the example login page in Chromium", () => {
  let browser: Browser;
  let house: House;
  let loginServer: LoginServer;
  let person: Person;
  /** What left by e-mail and SMS. */
  const mail: string[] = [];

  beforeAll(async () => {
    [browser, house] = await Promise.all([
      launchChromium(),
      startHouse("pglite", { config: { setSessionProof: "token" } }),
    ]);
    loginServer = await startLoginServer({
      gatehouseUrl: house.url,
      loginClientToken: house.cast.loginClient.token,
      port: 0,
      deliver: (line) => mail.push(line),
    });
  });
  afterAll(async () => {
    await browser?.close();
    await loginServer?.close();
    await house?.close();
  });
  afterEach(() => person?.leave());

  const gatehouse = () => gatehouseClients(house.url, house.cast.loginClient.token);

  /** Somebody new, with a password and nothing else. @returns the login name */
  async function newcomer(name: string): Promise<string> {
    const email = `${name.toLowerCase()}@page.example`;
    await gatehouse().users.createUser({
      organizationId: house.cast.home.id,
      userType: {
        case: "human",
        value: {
          profile: { givenName: name, familyName: "Example" },
          email: { email, verification: { case: "isVerified", value: true } },
          phone: { phone: "+41791234567", verification: { case: "isVerified", value: true } },
          passwordType: { case: "password", value: { password: PASSWORD } },
        },
      },
    });
    return email;
  }

  async function signInWithPassword(loginName: string): Promise<void> {
    await person.enterLoginName(loginName);
    await person.enterPassword(PASSWORD);
  }

  async function signOut(): Promise<void> {
    await person.button("Sign out").click();
    await person.page.getByRole("heading", { name: "Signed out" }).waitFor();
    await person.button("Sign in again").click();
  }

  /** @returns codes of the app, which works from the address that the page shows */
  async function setUpApp(): Promise<(stepsLater: number) => string> {
    await person.button("Set up: Authenticator app").click();
    const address = person.page.getByRole("definition").filter({ hasText: "otpauth://" });
    const app = URI.parse(await address.innerText());
    if (!("period" in app)) throw new Error("not a time-based code");
    const secret = person.page.getByRole("definition").filter({ hasText: app.secret.base32 });
    expect(await secret.first().innerText()).toBe(app.secret.base32);
    const start = Date.now();
    const codeAt = (stepsLater: number) => app.generate({ timestamp: start + stepsLater * STEP_MS });
    await person.field("Six digits from the app").fill(codeAt(0));
    await person.button("Confirm").click();
    await expectSetUp("Authenticator app");
    return codeAt;
  }

  const expectSetUp = (name: string) =>
    person.page.getByRole("listitem").filter({ hasText: name }).getByText("ready", { exact: true }).waitFor();

  const headline = (name: string) => person.page.getByRole("heading", { name, level: 1 }).waitFor();

  test("signs a person in by password, from the keyboard alone, and ends the session for good", async () => {
    const loginName = await newcomer("Ada");
    person = await personAt(browser, loginServer.origin);
    const { keyboard } = person.page;
    await headline("Sign in");
    await keyboard.type(loginName);
    await keyboard.press("Enter");
    await headline("Welcome");
    await keyboard.type(PASSWORD);
    await keyboard.press("Enter");
    await headline("Ada Example");
    expect(await person.factor("Login name").innerText()).toMatch(/says who, proves nothing/);
    expect(await person.factor("Password").getByRole("time").getAttribute("datetime")).toMatch(/^20.+Z$/);
    expect(await person.page.getByText(loginName).isVisible()).toBe(true);

    const { sessionId, sessionToken } = await person.session();
    const asSession = gatehouseClients(house.url, sessionToken);
    expect((await asSession.sessions.getSession({ sessionId })).session?.factors?.password).toBeDefined();
    await person.button("Sign out").click();
    await headline("Signed out");
    expect(await person.context.cookies()).toEqual([]);
    const refused = await asSession.sessions.getSession({ sessionId }).catch(ConnectError.from);
    expect(refused).toMatchObject({ code: Code.NotFound });
    const unknown = await gatehouse().sessions.getSession({ sessionId }).catch(ConnectError.from);
    expect(unknown).toMatchObject({ code: Code.NotFound });
  });

  test("finds the session again after a reload, and says so when it was ended elsewhere", async () => {
    const loginName = await newcomer("Bo");
    person = await personAt(browser, loginServer.origin);
    await signInWithPassword(loginName);
    await headline("Bo Example");
    await person.page.reload();
    await headline("Bo Example");
    await gatehouse().sessions.deleteSession(await person.session());
    await person.button("Set up: Code by e-mail").click();
    await headline("Signed out");
    await person.page.reload();
    await headline("Sign in");
  });

  test("tells a wrong password and an unknown login name alike, in words", async () => {
    const loginName = await newcomer("Cleo");
    person = await personAt(browser, loginServer.origin);
    await person.enterLoginName(loginName);
    await person.enterPassword(WRONG_PASSWORD);
    await person.complaint.filter({ hasText: /./ }).waitFor();
    const wrong = await person.complaint.innerText();
    expect(wrong).toBe("This login name and password do not sign anybody in.");
    await person.button("Someone else?").click();
    await person.enterLoginName("nobody@page.example");
    await person.enterPassword(PASSWORD);
    await expect.poll(() => person.complaint.innerText()).toBe(wrong);
    await person.button("Use a passkey").click();
    await expect
      .poll(() => person.complaint.innerText())
      .toBe("This login name has no passkey for this page.");
  });

  test("sets up an authenticator app from the shown address, and asks for its code the next time", async () => {
    const loginName = await newcomer("Dora");
    person = await personAt(browser, loginServer.origin);
    await signInWithPassword(loginName);
    const codeAt = await setUpApp();
    // One factor proven, two set up: nothing may be changed before the second one is proven too.
    expect(await person.button("Set up: Passkey").isDisabled()).toBe(true);
    await signOut();

    await signInWithPassword(loginName);
    await headline("Confirm that it is you");
    await person.field("Six digits from the app").fill(codeAt(-20));
    await person.button("Confirm").click();
    await expect.poll(() => person.complaint.innerText()).toMatch(/^That code is wrong/);
    await person.field("Six digits from the app").fill(codeAt(1));
    await person.button("Confirm").click();
    await headline("Dora Example");
    expect(await person.factor("Password").count()).toBe(1);
    expect(await person.factor("Authenticator app").count()).toBe(1);
    expect(await person.button("Set up: Passkey").isEnabled()).toBe(true);
  });

  test("sets up a passkey, and signs in with it instead of a password", async () => {
    const loginName = await newcomer("Emil");
    person = await personAt(browser, loginServer.origin);
    await person.plugIn("passkey");
    await signInWithPassword(loginName);
    await person.button("Set up: Passkey").click();
    await expectSetUp("Passkey");
    await signOut();

    await person.enterLoginName(loginName);
    await person.button("Use a passkey").click();
    await headline("Emil Example");
    expect(await person.factor("Passkey").innerText()).toMatch(/user verified/);
    expect(await person.factor("Password").count()).toBe(0);
  });

  test("sets up a security key, and asks for it after the password", async () => {
    const loginName = await newcomer("Fay");
    person = await personAt(browser, loginServer.origin);
    await person.plugIn("security key");
    await signInWithPassword(loginName);
    await person.button("Set up: Security key").click();
    await expectSetUp("Security key");
    await signOut();

    await signInWithPassword(loginName);
    await headline("Confirm that it is you");
    await person.button("Use the security key").click();
    await headline("Fay Example");
    expect(await person.factor("Password").count()).toBe(1);
    expect(await person.factor("Security key").innerText()).toMatch(/user present/);
  });

  test("takes a recovery code in place of the second factor, once", async () => {
    const loginName = await newcomer("Gus");
    person = await personAt(browser, loginServer.origin);
    await signInWithPassword(loginName);
    await person.button("Set up: Recovery codes").click();
    await person.button("I have noted them").waitFor();
    const codes = await person.page.getByRole("listitem").getByRole("code").allInnerTexts();
    expect(codes).toHaveLength(8);
    await person.button("I have noted them").click();
    await expectSetUp("Recovery codes");
    await setUpApp();
    await signOut();

    await signInWithPassword(loginName);
    await person.page.getByRole("radio", { name: "Recovery code" }).check();
    await person.field("One of your recovery codes").fill(codes[0]!);
    await person.button("Confirm").click();
    await headline("Gus Example");
    expect(await person.factor("Recovery code").count()).toBe(1);
    await signOut();

    await signInWithPassword(loginName);
    await person.page.getByRole("radio", { name: "Recovery code" }).check();
    await person.field("One of your recovery codes").fill(codes[0]!);
    await person.button("Confirm").click();
    await expect.poll(() => person.complaint.innerText()).toBe("That is none of your unused recovery codes.");
  });

  test.each([
    { by: "e-mail", name: "Hal", receipt: "E-mail to" },
    { by: "SMS", name: "Ida", receipt: "SMS to" },
  ])("confirms by a code sent by $by, which the browser is never told", async ({ by, name, receipt }) => {
    const loginName = await newcomer(name);
    person = await personAt(browser, loginServer.origin);
    await signInWithPassword(loginName);
    await person.button(`Set up: Code by ${by}`).click();
    await expectSetUp(`Code by ${by}`);
    await person.button("Confirm a second factor").click();
    await person.button("Send a code").click();
    await person.field(`Code from the ${by}`).waitFor();
    const code = new RegExp(`^${receipt} ${loginName}: (\\S+) is`).exec(mail.at(-1)!)![1]!;
    await person.field(`Code from the ${by}`).fill(code);
    await person.button("Confirm").click();
    await headline(`${name} Example`);
    expect(await person.factor(`Code by ${by}`).count()).toBe(1);

    const { sessionToken } = await person.session();
    const answers = person.seen.join("\n");
    expect(answers).toContain(loginName);
    expect(answers).not.toContain(code);
    expect(answers).not.toContain(sessionToken);
    expect(answers).not.toContain("gatehouse_st_");
    expect(answers).not.toContain(house.cast.loginClient.token);
  });
});
