import { gzipSync } from "node:zlib";
import type { Stage } from "./stage.ts";

const json = { "content-type": "application/json" };

/** Requests no client would send, with a secret in each: where it does not belong, or cut off, or far too long. */
export async function sendMalformed(stage: Stage): Promise<number> {
  const { cast, guess, newPassword } = stage;
  const authorization = `Bearer ${cast.owner.token}`;
  const users = "/zitadel.user.v2.UserService";
  const sessions = "/zitadel.session.v2.SessionService";
  let sent = 0;
  const send = async (path: string, { headers, ...request }: RequestInit = {}, least = 400) => {
    const answer = await stage.send(path, { ...request, headers: { authorization, ...headers } });
    if (answer.status < least) throw new Error(`${path} was answered ${answer.status}`);
    sent += 1;
  };
  const post = (
    path: string,
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = json,
  ) => send(path, { method: "POST", headers, body });
  const secret = () => newPassword("a password where it does not belong");

  // A value in place of the message around it, of a number, of an enum, of bytes, of a list; a member nobody knows.
  for (const [path, body] of [
    [`${users}/SetPassword`, { userId: "x", newPassword: secret() }],
    [`${users}/SetPassword`, { userId: { password: secret() } }],
    [`${sessions}/CreateSession`, { checks: { user: { userId: "x" }, password: secret() } }],
    [`${sessions}/CreateSession`, { checks: { totp: secret() } }],
    [`${sessions}/CreateSession`, { checks: [secret()] }],
    [`${sessions}/CreateSession`, { metadata: { password: `${secret()}!` } }],
    [`${sessions}/CreateSession`, { lifetime: secret() }],
    [`${users}/GenerateRecoveryCodes`, { userId: "x", count: secret() }],
    [`${users}/RegisterPasskey`, { userId: "x", authenticator: secret() }],
    [`${users}/RegisterPasskey`, { userId: "x", code: secret() }],
    [`${users}/AddKey`, { userId: "x", expirationDate: secret() }],
    ["/zitadel.admin.v1.AdminService/AddAppleProvider", { privateKey: secret() }],
    ["/v2/sessions", { checks: { password: secret() } }],
    ["/v2/users/x/password", { newPassword: secret() }],
    ["/v2/users/x/password", secret()],
  ] as const)
    await post(path, JSON.stringify(body));

  // No JSON, JSON cut off, no UTF-8, no protobuf, no gzip, far too much of it.
  const wrapped = () => JSON.stringify({ userId: "x", newPassword: { password: secret() } });
  for (const path of [`${users}/SetPassword`, "/v2/users/x/password"]) {
    await post(path, secret());
    await post(path, wrapped().slice(0, -3));
    await post(path, Buffer.concat([Buffer.from(wrapped().slice(0, -3)), Buffer.of(0xff, 0xfe)]));
    await post(path, `${wrapped().slice(0, -1)},"more":"${"x".repeat(1_100_000)}"}`);
    await post(path, wrapped(), { ...json, "content-encoding": "gzip" });
    await post(path, gzipSync(wrapped()).subarray(0, -9), { ...json, "content-encoding": "gzip" });
    await post(path, wrapped(), { "content-type": `text/${guess("type")}` });
  }
  await post(`${users}/SetPassword`, secret(), { "content-type": "application/proto" });
  await post(`${users}/SetPassword`, Buffer.from(secret(), "utf16le"), {
    "content-type": "application/proto",
  });

  // In the address: a path nobody has, a method nobody has, a query.
  await send(`/v2/users/x/pats/${guess("token")}`, { method: "DELETE" });
  await send(`/v2/users/x/pats/${guess("token")}`, { method: "PUT" });
  await send(`/v2/nothing/${guess("token")}?code=${guess("code")}`);
  await send(`/v2/users/%ff${guess("token")}`);
  await send(`/v2/sessions/x?sessionToken=${guess("session token")}`);
  await send(`/v2/sessions/x?sessionToken=${guess("session token")}&sessionToken=${guess("session token")}`);
  await send(`/v2/sessions/x?${guess("parameter")}=1`);
  await send(`/v2/users/x/authentication_methods?domainQuery.includeWithoutDomain=${guess("parameter")}`);
  await post(`${users}/${guess("method")}`, wrapped());

  // In headers. What is wrong about a deadline or an encoding is repeated: nobody has a secret there.
  const list = { method: "POST", body: "{}" };
  const inHeaders: Record<string, string>[] = [
    { authorization: guess("credential") },
    { authorization: `Basic ${guess("credential")}` },
    { authorization: `Bearer ${guess("credential")} ${guess("credential")}` },
    { authorization: `Bearer ${guess("credential").repeat(500)}` },
    { authorization: `Bearer gatehouse_st_${guess("credential")}` },
    { authorization: `Bearer gatehouse_at_${guess("credential")}` },
    { authorization: `Bearer gatehouse_pat_${guess("credential")}` },
    { "x-zitadel-orgid": guess("organization") },
  ];
  for (const headers of inHeaders)
    await send(`${users}/ListUsers`, { ...list, headers: { ...json, ...headers } }, 200);

  // At the token endpoint, and where providers send browsers.
  const form = { "content-type": "application/x-www-form-urlencoded" };
  await post("/oauth/v2/token", JSON.stringify({ client_secret: secret() }));
  await post("/oauth/v2/token", `assertion=${guess("assertion")}&assertion=${guess("assertion")}`, form);
  await post("/oauth/v2/token", `grant_type=${guess("grant").repeat(9_000)}`, form);
  await send(`/oauth/v2/token?client_secret=${guess("client secret")}`);
  await send(`/idps/callback?state=${guess("state")}&code=${guess("code")}`);
  await send(`/idps/callback?state=${crypto.randomUUID()}&code=${guess("code")}&id_token=${guess("token")}`);
  await post("/idps/callback", JSON.stringify({ code: guess("code") }));
  await post("/idps/callback", `code=${guess("code").repeat(9_000)}`, form);
  return sent;
}
