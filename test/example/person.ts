import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { expect } from "vitest";

/** A person in front of the login page: reads, types and presses what is there, and carries keys. */
export type Person = {
  page: Page;
  context: BrowserContext;
  /** Every answer that the browser's scripts could read, headers and body. */
  seen: string[];
  button(name: string | RegExp): Locator;
  field(name: string): Locator;
  /** What the page says went wrong. */
  complaint: Locator;
  /** The row of a proven factor in the session's table. */
  factor(name: string): Locator;
  /** Plugs a key into the computer, which its owner touches and, if it can, unlocks whenever it asks. */
  plugIn(key: "passkey" | "security key"): Promise<void>;
  enterLoginName(loginName: string): Promise<void>;
  enterPassword(password: string): Promise<void>;
  /** The token that the browser keeps where no script reads it. */
  session(): Promise<{ sessionId: string; sessionToken: string }>;
  /** Fails if the page made the browser complain, or asked anything of another place. */
  leave(): Promise<void>;
};

export async function personAt(browser: Browser, origin: string): Promise<Person> {
  const context = await browser.newContext({ locale: "en-GB" });
  const page = await context.newPage();
  const seen: string[] = [];
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    // A refused call is no fault of the page: the browser logs each.
    const isRefusal = /^Failed to load resource/.test(message.text());
    if (message.type() === "error" && !isRefusal) faults.push(message.text());
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) faults.push(`asked ${request.url()}`);
  });
  page.on("response", async (response) => {
    // Without set-cookie, which scripts do not see.
    const headers = JSON.stringify(response.headers());
    seen.push(headers + (await response.text().catch(() => "")));
  });
  const button = (name: string | RegExp) => page.getByRole("button", { name });
  const field = (name: string) => page.getByRole("textbox", { name });
  await page.goto(origin);
  return {
    page,
    context,
    seen,
    button,
    field,
    complaint: page.getByRole("alert"),
    factor: (name) =>
      page.getByRole("row").filter({ has: page.getByRole("rowheader", { name, exact: true }) }),
    async plugIn(key) {
      const devtools = await context.newCDPSession(page);
      await devtools.send("WebAuthn.enable");
      const isPasskey = key === "passkey";
      await devtools.send("WebAuthn.addVirtualAuthenticator", {
        options: {
          protocol: "ctap2",
          transport: isPasskey ? "internal" : "usb",
          hasResidentKey: isPasskey,
          hasUserVerification: true,
          isUserVerified: true,
          automaticPresenceSimulation: true,
        },
      });
    },
    async enterLoginName(loginName) {
      await field("Login name").fill(loginName);
      await button("Continue").click();
    },
    async enterPassword(password) {
      await page.getByLabel("Password").fill(password);
      await button("Sign in").click();
    },
    async session() {
      const [cookie] = await context.cookies();
      const [sessionId = "", sessionToken = ""] = cookie!.value.split(":");
      return { sessionId, sessionToken };
    },
    async leave() {
      await context.close();
      expect(faults).toEqual([]);
    },
  };
}
