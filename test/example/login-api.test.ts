import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LoginServer, startLoginServer } from "../../examples/login/login-server.ts";
import { type House, PASSWORD, signIn, startHouse } from "../support/fixtures.ts";

type Answer = { status: number; body: Record<string, unknown>; cookie: string | undefined };

describe("what the example's login server lets a browser do", () => {
  let house: House;
  let loginServer: LoginServer;
  beforeAll(async () => {
    house = await startHouse("pglite");
    loginServer = await startLoginServer({
      gatehouseUrl: house.url,
      loginClientToken: house.cast.loginClient.token,
      port: 0,
      deliver: () => {},
    });
  });
  afterAll(async () => {
    await loginServer?.close();
    await house?.close();
  });

  async function call(method: string, request: object = {}, cookie = "", origin = loginServer.origin) {
    const answer = await fetch(`${loginServer.origin}/api/zitadel.${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", origin, cookie },
      body: JSON.stringify(request),
    });
    const text = await answer.text();
    const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    return { status: answer.status, body, cookie: answer.headers.getSetCookie()[0]?.split(";")[0] } as Answer;
  }

  const session = (method: string) => `session.v2.SessionService/${method}`;
  const user = (method: string) => `user.v2.UserService/${method}`;

  async function signedIn({ loginName }: { loginName: string }): Promise<string> {
    const { cookie } = await call(session("CreateSession"), {
      checks: { user: { loginName }, password: { password: PASSWORD } },
    });
    return cookie!;
  }

  /** A session of which only the login name is known, as one who has no password could have. */
  async function unproven(who: { id: string }): Promise<string> {
    const { sessionId, sessionToken } = await house.as(house.cast.loginClient).createSession({
      checks: { user: signIn(who).user },
    });
    return `gatehouse-example-login=${sessionId}:${sessionToken}`;
  }

  const withoutCookie = [
    session("SetSession"),
    session("GetSession"),
    session("DeleteSession"),
    user("ListAuthenticationMethodTypes"),
    user("RegisterTOTP"),
    user("GenerateRecoveryCodes"),
  ];
  test.each(withoutCookie)(
    "%s needs the browser's own session, whatever the request names",
    async (method) => {
      const { mia } = house.cast;
      const other = await house.as(house.cast.loginClient).createSession({ checks: signIn(mia) });
      const { sessionId, sessionToken } = other;
      for (const cookie of [
        "",
        `gatehouse-example-login=${sessionId}:`,
        `gatehouse-example-login=${sessionId}`,
      ]) {
        const request = method.startsWith("session") ? { sessionId, sessionToken } : { userId: mia.id };
        const answer = await call(method, request, cookie);
        expect(answer).toMatchObject({ status: 401, body: { code: "unauthenticated" } });
      }
      expect(await house.as(house.cast.loginClient).getSession({ sessionId })).toBeDefined();
    },
  );

  test("the session and the user named in a request are not looked at", async () => {
    const { mia, noah } = house.cast;
    const noahs = await house.as(house.cast.loginClient).createSession({ checks: signIn(noah) });
    const cookie = await signedIn(mia);
    const read = await call(session("GetSession"), { sessionId: noahs.sessionId }, cookie);
    expect(read.body).toMatchObject({ session: { factors: { user: { id: mia.id } } } });
    const { body } = await call(user("RegisterTOTP"), { userId: noah.id }, cookie);
    expect(body).toMatchObject({ uri: expect.stringContaining(encodeURIComponent(mia.loginName)) });
    const ended = await call(session("DeleteSession"), { sessionId: noahs.sessionId }, cookie);
    expect(ended.status).toBe(200);
    expect((await call(session("GetSession"), {}, cookie)).status).toBe(401);
    const { sessionId } = noahs;
    expect((await house.as(house.cast.loginClient).getSession({ sessionId })).session).toBeDefined();
  });

  test.each([
    session("ListSessions"),
    user("SetPassword"),
    user("CreateUser"),
    user("AddPersonalAccessToken"),
    user("RemoveTOTP"),
  ])("%s is not passed on, not even for who is signed in", async (method) => {
    const answer = await call(method, { userId: house.cast.mia.id }, await signedIn(house.cast.mia));
    expect(answer.body).toMatchObject({ code: "unimplemented" });
  });

  test.each([
    { challenges: { otpEmail: {} } },
    { challenges: { otpSms: {} } },
    { challenges: { webAuthN: {} } },
    { checks: { totp: { code: "123456" } } },
    { checks: { recoveryCode: { code: "abcde-fghij" } } },
  ])("a second factor comes second: %j", async (request) => {
    const answer = await call(session("SetSession"), request, await unproven(house.cast.mia));
    expect(answer).toMatchObject({ status: 400, body: { message: "first the password or a passkey" } });
  });

  test("a login name alone tells nothing of what its user has set up", async () => {
    const cookie = await unproven(house.cast.mia);
    expect(await call(user("ListAuthenticationMethodTypes"), {}, cookie)).toMatchObject({ status: 401 });
  });

  test("a user id opens no session", async () => {
    const checks = { user: { userId: house.cast.mia.id }, password: { password: PASSWORD } };
    expect(await call(session("CreateSession"), { checks })).toMatchObject({
      status: 400,
      cookie: undefined,
    });
  });

  test("who signs in anew leaves no session behind", async () => {
    const [first] = [await signedIn(house.cast.mia)];
    const checks = { user: { loginName: house.cast.mia.loginName }, password: { password: PASSWORD } };
    const again = await call(session("CreateSession"), { checks }, first);
    expect((await call(session("GetSession"), {}, first)).status).toBe(401);
    expect((await call(session("GetSession"), {}, again.cookie!)).status).toBe(200);
  });

  test("answers hold no token, and the cookie is out of reach of scripts", async () => {
    const answer = await fetch(`${loginServer.origin}/api/zitadel.${session("CreateSession")}`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: loginServer.origin },
      body: JSON.stringify({
        checks: { user: { loginName: house.cast.mia.loginName }, password: { password: PASSWORD } },
      }),
    });
    expect(answer.headers.getSetCookie()[0]).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(await answer.text()).not.toContain("gatehouse_st_");
  });

  test("a page of another origin is refused, and another host name is sent home", async () => {
    const checks = { user: { loginName: house.cast.mia.loginName }, password: { password: PASSWORD } };
    const answer = await call(session("CreateSession"), { checks }, "", "http://localhost:1");
    expect(answer).toMatchObject({ status: 403, cookie: undefined });
    const elsewhere = await fetch(loginServer.origin.replace("localhost", "127.0.0.1"), {
      redirect: "manual",
    });
    expect(elsewhere.status).toBe(307);
    expect(elsewhere.headers.get("location")).toBe(`${loginServer.origin}/`);
  });

  test("the page is served with a strict content security policy", async () => {
    const answer = await fetch(loginServer.origin);
    const policy = answer.headers.get("content-security-policy");
    expect(policy).toMatch(/^default-src 'none'; script-src 'self';/);
    expect(policy).not.toMatch(/unsafe/);
    expect(await answer.text()).not.toMatch(/<script>|style=|https?:/);
  });
});
