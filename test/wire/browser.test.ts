import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Code } from "@connectrpc/connect";
import type { Browser, Page } from "playwright-core";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium, pageCaller } from "../support/chromium.ts";
import { engines } from "../support/databases.ts";
import { type House, PASSWORD, startHouse, WRONG_PASSWORD } from "../support/fixtures.ts";
import type { PageFunctions, Where } from "./browser-page.ts";

/** The page and its script, on an origin that is not the server's. */
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
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

describe("a page in Chromium on another origin", () => {
  let browser: Browser;
  let page: Page;
  let site: { origin: string; server: Server };
  /** Methods and paths the browser asked leave for. */
  const preflights: string[] = [];

  beforeAll(async () => {
    [browser, site] = await Promise.all([launchChromium(), servePage()]);
    page = await browser.newPage();
    const devtools = await page.context().newCDPSession(page);
    devtools.on("Network.requestWillBeSent", ({ request }) => {
      if (request.method === "OPTIONS") preflights.push(new URL(request.url).pathname);
    });
    await devtools.send("Network.enable");
    await page.goto(site.origin);
    await page.waitForFunction(() => "pageFunctions" in globalThis);
  });
  afterAll(async () => {
    await browser?.close();
    site?.server.close();
  });

  const inPage = pageCaller<PageFunctions>(() => page);

  describe.each(engines)("and a server on %s", (engine) => {
    let house: House;
    let where: Where;
    beforeAll(async () => {
      house = await startHouse(engine);
      where = { url: house.url, token: house.cast.loginClient.token };
      expect(new URL(house.url).origin).not.toBe(site.origin);
    });
    afterAll(() => house.close());

    test("create, read, list, change and end a session over gRPC-Web, each after a pre-flight", async () => {
      preflights.length = 0;
      const { mia } = house.cast;
      const seen = await inPage("walk", where, mia.id, PASSWORD);
      expect(seen).toMatchObject({ created: "4", changed: "6", ended: "7" });
      expect(seen.tokens[1]).not.toBe(seen.tokens[0]);
      expect(seen.read).toMatchObject({
        session: { id: seen.sessionId, factors: { user: { id: mia.id, loginName: mia.loginName } } },
      });
      expect(seen.listed).toMatchObject({
        details: { totalResult: "1" },
        sessions: [(seen.read as { session: object }).session],
      });
      for (const method of ["CreateSession", "GetSession", "ListSessions", "SetSession", "DeleteSession"])
        await expect.poll(() => preflights).toContain(`/zitadel.session.v2.SessionService/${method}`);
    });

    test("read status, text, detail and request id of a refusal", async () => {
      expect(await inPage("readUnknown", where)).toEqual({
        code: Code.NotFound,
        message: "session does not exist (QUERY-SFeaa)",
        detail: { id: "QUERY-SFeaa", message: "session does not exist" },
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      });
      expect(await inPage("readUnknown", { ...where, token: "nobodys" })).toMatchObject({
        code: Code.Unauthenticated,
        detail: { id: "AUTH-7fs1e" },
      });
    });

    test("read how many wrong passwords there were", async () => {
      const { zoe } = house.cast;
      for (const failedAttempts of [1, 2]) {
        expect(await inPage("wrongPassword", where, zoe.id, WRONG_PASSWORD)).toMatchObject({
          code: Code.InvalidArgument,
          detail: { id: "COMMAND-3M0fs", message: "password is invalid", failedAttempts },
        });
      }
    });

    test("speak gRPC-Web text by fetch", async () => {
      const answer = await inPage("createInText", where, { metadata: { a: "YQ==" } });
      expect(answer).toMatchObject({
        status: 200,
        contentType: expect.stringMatching(/^application\/grpc-web-text/),
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        response: { details: { sequence: "3" } },
        trailers: expect.stringContaining("grpc-status: 0"),
      });
      const refused = await inPage("createInText", where, { lifetime: "-1s" });
      expect(refused.status).toBe(200);
      expect(refused.response).toBeUndefined();
      expect(refused.trailers).toContain("grpc-status: 3\r\n");
      expect(decodeURIComponent(refused.trailers)).toContain("invalid CreateSessionRequest.Lifetime");
    });

    test("end a session by the REST route", async () => {
      preflights.length = 0;
      const { sessionId } = await house.as(house.cast.loginClient).createSession({});
      expect(await inPage("endByRest", where, sessionId)).toBe(200);
      await expect.poll(() => preflights).toContain(`/v2/sessions/${sessionId}`);
    });
  });

  test("is kept out by a server that allows other origins only", async () => {
    const house = await startHouse("pglite", { config: { corsOrigins: ["https://app.example"] } });
    try {
      const where = { url: house.url, token: house.cast.loginClient.token };
      expect(await inPage("mayCall", where)).toBe(false);
    } finally {
      await house.close();
    }
  });

  test("is let in by a server that allows its own", async () => {
    const house = await startHouse("pglite", { config: { corsOrigins: [site.origin] } });
    try {
      const where = { url: house.url, token: house.cast.loginClient.token };
      expect(await inPage("mayCall", where)).toBe(true);
    } finally {
      await house.close();
    }
  });
});
