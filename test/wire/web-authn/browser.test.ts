import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, CDPSession, Page } from "playwright-core";
import { rolldown } from "rolldown";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { launchChromium, pageCaller } from "../../support/chromium.ts";
import { engines } from "../../support/databases.ts";
import { type House, PASSWORD, startHouse, userRow } from "../../support/fixtures.ts";
import { asking } from "../users/wire.ts";
import type { PageFunctions, Where } from "./browser-page.ts";
import { newPerson } from "./site.ts";

/** The page and its script on localhost, which browsers trust without TLS. */
async function servePage(): Promise<{ origin: string; server: Server }> {
  const bundle = await rolldown({
    input: new URL("browser-page.ts", import.meta.url).pathname,
    platform: "browser",
  });
  const { output } = await bundle.generate({ format: "esm" });
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html; charset=utf-8" });
    response.end(isScript ? output[0].code : '<!doctype html><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://localhost:${(server.address() as AddressInfo).port}`, server };
}

/** By their numbers in the contract. */
const [PREFERRED, DISCOURAGED] = [2, 3];

describe("a page in Chromium, with an authenticator in it", () => {
  let browser: Browser;
  let site: { origin: string; server: Server };
  let page: Page;
  let devtools: CDPSession;
  let authenticatorId: string;

  beforeAll(async () => {
    [browser, site] = await Promise.all([launchChromium(), servePage()]);
  });
  afterAll(async () => {
    await browser?.close();
    site?.server.close();
  });

  beforeEach(async () => {
    page = await browser.newPage();
    devtools = await page.context().newCDPSession(page);
    await devtools.send("WebAuthn.enable");
    ({ authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    }));
    await page.goto(site.origin);
    await page.waitForFunction(() => "pageFunctions" in globalThis);
  });
  afterEach(() => page.close());

  const inPage = pageCaller<PageFunctions>(() => page);

  const counters = async () => {
    const { credentials } = await devtools.send("WebAuthn.getCredentials", { authenticatorId });
    return credentials.map(({ signCount }) => signCount);
  };

  describe.each(engines)("and a server on %s", (engine) => {
    let house: House;
    let where: Where;
    beforeAll(async () => {
      house = await startHouse(engine, { config: { publicUrl: "http://localhost" } });
    });
    afterAll(() => house.close());
    beforeEach(() => {
      where = { url: house.url, token: house.cast.loginClient.token };
    });

    test("registers a passkey and signs in with it, as a verified user, again and again", async () => {
      const user = await newPerson(house);
      const id = await inPage("registerPasskey", where, user.id);
      const { result } = await asking(house, house.cast.owner)("ListPasskeys", { userId: user.id });
      expect(result).toEqual([{ id, state: "AUTH_FACTOR_STATE_READY", name: "Browser" }]);
      for (let count = 0; count < 2; count++) {
        expect(await inPage("signInWithPasskey", where, user.id)).toEqual({
          password: false,
          webAuthN: { userVerified: true },
        });
      }
      const [signCount] = await counters();
      expect(signCount).toBeGreaterThan(1);
      await house.operate(async (database) => {
        expect((await userRow(database, user)).webAuthN).toMatchObject([
          { kind: "passkey", rpId: "localhost", signCount, transports: ["internal"] },
        ]);
      });
    });

    test("signs in with the password and then a security key", async () => {
      const user = await newPerson(house);
      await inPage("registerU2F", where, user.id);
      const keyed = (level: number) => inPage("signInWithKey", where, user.id, PASSWORD, level);
      expect(await keyed(PREFERRED)).toEqual({ password: true, webAuthN: { userVerified: true } });
      await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
      expect(await keyed(DISCOURAGED)).toEqual({ password: true, webAuthN: { userVerified: false } });
    });

    test("is told by the browser that it has registered already", async () => {
      const user = await newPerson(house);
      await inPage("registerPasskey", where, user.id);
      expect(await inPage("failureOf", where, user.id)).toBe("InvalidStateError");
    });

    test("gets no passkey past a user who does not prove to be there", async () => {
      const user = await newPerson(house);
      await devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
      expect(await inPage("failureOf", where, user.id)).toBe("NotAllowedError");
    });
  });
});
