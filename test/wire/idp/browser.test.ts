import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../../support/chromium.ts";
import { engines } from "../../support/databases.ts";
import { time } from "../users/wire.ts";
import { ada, openWalkway, type Walkway } from "./walk.ts";

/** The application people come back to, on an origin of its own. */
async function openApplication(): Promise<{ origin: string; server: Server }> {
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(`<!doctype html><title>${request.url?.startsWith("/done") ? "Done" : "Failed"}</title>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

describe.each(engines)("a person in Chromium, and a server on %s,", (engine) => {
  let browser: Browser;
  let way: Walkway;
  let application: { origin: string; server: Server };
  beforeAll(async () => {
    [browser, way, application] = await Promise.all([
      launchChromium(),
      openWalkway(engine),
      openApplication(),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    application?.server.close();
    await way?.close();
  });

  async function begin(idpId: string): Promise<Page> {
    const urls = { successUrl: `${application.origin}/done`, failureUrl: `${application.origin}/failed` };
    const request = { idpId, urls: { ...urls, loginHint: "ada" } };
    const { authUrl } = await way.as(way.cast.loginClient, "user")("StartIdentityProviderIntent", request);
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(authUrl as string);
    return page;
  }

  test.each(["OpenID Connect", "OAuth 2.0"])(
    "signs in at a provider of %s, and the session gets its intent factor",
    async (protocol) => {
      const [idpId, externalId] =
        protocol === "OAuth 2.0" ? [await way.addOAuth(), "1815"] : [await way.addOidc(), "ada"];
      await way.link(way.cast.mia.id, idpId, externalId);

      const page = await begin(idpId);
      expect(await page.title()).toBe("Sign in");
      expect(await page.inputValue("input[name=login]")).toBe("ada");
      await page.fill("input[name=password]", "wrong");
      await page.click("button[value=allow]");
      expect(await page.textContent("p")).toBe("Wrong name or password.");
      await page.fill("input[name=login]", ada.login);
      await page.fill("input[name=password]", ada.password);
      await page.click("button[value=allow]");
      expect(await page.title()).toBe("Consent");
      await page.click("button[value=allow]");
      await page.waitForURL(`${application.origin}/done?*`);
      expect(await page.title()).toBe("Done");

      const { id, token, user, ...others } = Object.fromEntries(new URL(page.url()).searchParams);
      expect(others).toEqual({});
      expect(user).toBe(way.cast.mia.id);
      const ask = way.as(way.cast.loginClient, "session");
      const checks = {
        user: { userId: user! },
        idpIntent: { idpIntentId: id!, idpIntentToken: token! },
      };
      const { sessionId } = await ask("CreateSession", { checks });
      const { session } = await ask("GetSession", { sessionId: sessionId! });
      expect((session as JsonObject).factors).toMatchObject({
        user: { id: way.cast.mia.id },
        intent: { verifiedAt: time },
      });

      // Going back asks the callback again, which has nothing more to give.
      const replayed = await page.goto(`${way.house.url}/idps/callback?state=${id}&code=again`);
      expect(replayed!.status()).toBe(400);
      await page.context().close();
    },
  );

  test("who changes their mind comes back to the failure URL", async () => {
    const page = await begin(await way.addOidc());
    await page.click("button[value=deny]");
    await page.waitForURL(`${application.origin}/failed?*`);
    expect(await page.title()).toBe("Failed");
    expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({
      id: expect.any(String),
      error: "access_denied",
      error_description: "The user said no.",
    });
    await page.context().close();
  });

  test("comes back with a form where the provider posts it across sites", async () => {
    const idpId = await way.addOidc();
    await way.link(way.cast.noah.id, idpId, "ada");
    const urls = { successUrl: `${application.origin}/done`, failureUrl: `${application.origin}/failed` };
    const { authUrl } = await way.as(way.cast.loginClient, "user")("StartIdentityProviderIntent", {
      idpId,
      urls,
    });
    const page = await (await browser.newContext()).newPage();
    // As Apple does it: the page of the provider posts the answer itself.
    await page.goto(`${authUrl as string}&response_mode=form_post`);
    await page.fill("input[name=login]", ada.login);
    await page.fill("input[name=password]", ada.password);
    await page.click("button[value=allow]");
    await page.click("button[value=allow]");
    await page.waitForURL(`${application.origin}/done?*`);
    expect(new URL(page.url()).searchParams.get("user")).toBe(way.cast.noah.id);
    await page.context().close();
  });
});
