import { decodeProtectedHeader, exportPKCS8, exportSPKI, generateKeyPair, importSPKI, jwtVerify } from "jose";
import { describe, expect, test } from "vitest";
import { isAllowedUrl } from "../../../src/idp/protocol/allowed-url.ts";
import { appleClientSecret } from "../../../src/idp/protocol/apple-client-secret.ts";
import { BoundedCache } from "../../../src/idp/protocol/bounded-cache.ts";
import { externalUser } from "../../../src/idp/protocol/external-user.ts";
import { apple, entra, genericOidc, gitHub, gitLab, google } from "../../../src/idp/protocol/presets.ts";

const settings = { clientId: "id", clientSecret: "secret", scopes: [] };

describe("presets", () => {
  test("know where the providers are", () => {
    expect([google(settings), gitLab(settings)].map(({ issuer }) => issuer)).toEqual([
      "https://accounts.google.com",
      "https://gitlab.com",
    ]);
    const tenants = ["common", "organizations", "consumers", { id: "a/b" }] as const;
    expect(tenants.map((tenant) => entra({ ...settings, tenant, emailVerified: false }).issuer)).toEqual([
      "https://login.microsoftonline.com/common/v2.0",
      "https://login.microsoftonline.com/organizations/v2.0",
      "https://login.microsoftonline.com/consumers/v2.0",
      "https://login.microsoftonline.com/a%2Fb/v2.0",
    ]);
  });

  test("ask for what a profile takes, and for an ID token whatever the scopes", () => {
    expect(google(settings).scopes).toEqual(["openid", "profile", "email"]);
    expect(google({ ...settings, scopes: ["email"] }).scopes).toEqual(["openid", "email"]);
    expect(gitHub(settings).scopes).toEqual(["read:user", "user:email"]);
    expect(gitHub({ ...settings, scopes: ["user"] }).scopes).toEqual(["user"]);
    expect(genericOidc({ ...settings, issuer: "https://a.b", idTokenOnly: false }).scopes).toContain(
      "openid",
    );
  });

  test("at Microsoft the account is the object id, and addresses count as verified by the operator's word", () => {
    const preset = entra({ ...settings, tenant: "common", emailVerified: false });
    const claims = { sub: "pairwise", oid: "object", email: "admin@victim.example", email_verified: true };
    expect(externalUser(claims, preset.claims).id).toBe("object");
    expect(preset.emailVerified).toBe(false);
  });

  test("Apple answers with a form", () => {
    const preset = apple({ clientId: "id", teamId: "team", keyId: "key", privateKey: "pem", scopes: [] });
    expect(preset).toMatchObject({
      issuer: "https://appleid.apple.com",
      responseMode: "form_post",
      idTokenOnly: true,
      scopes: ["openid", "name", "email"],
      clientSecret: { kind: "apple", teamId: "team", keyId: "key", privateKey: "pem" },
    });
  });
});

test("Apple's client secret is a short-lived JWT of the team's key", async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const at = new Date("2026-07-01T12:00:00Z");
  const secret = await appleClientSecret(
    { clientId: "com.example", teamId: "TEAM", keyId: "KEY", privateKey: await exportPKCS8(privateKey) },
    at,
  );
  expect(decodeProtectedHeader(secret)).toEqual({ alg: "ES256", kid: "KEY" });
  const key = await importSPKI(await exportSPKI(publicKey), "ES256");
  const { payload } = await jwtVerify(secret, key, { currentDate: at });
  expect(payload).toEqual({
    iss: "TEAM",
    sub: "com.example",
    aud: "https://appleid.apple.com",
    iat: at.getTime() / 1000,
    exp: at.getTime() / 1000 + 300,
  });
});

test.each([
  ["https://example.com", true],
  ["http://localhost:8080/a", true],
  ["http://127.0.0.1", true],
  ["http://127.8.8.8", true],
  ["http://[::1]:3000", true],
  ["http://example.com", false],
  ["http://localhost.example.com", false],
  ["http://127.0.0.1.example.com", false],
  ["http://0.0.0.0", false],
  ["https://user:password@example.com", false],
  ["file:///etc/passwd", false],
  ["javascript:alert(1)", false],
  ["//example.com", false],
  ["", false],
])("%s may be talked to: %j", (url, allowed) => {
  expect(isAllowedUrl(url, false)).toBe(allowed);
  expect(isAllowedUrl(url, true)).toBe(allowed || /^http:\/\//.test(url));
});

test("a bounded cache forgets the least used first, and everything in time", () => {
  const cache = new BoundedCache<number>({ maxEntries: 2, maxAgeMs: 100 });
  cache.set("a", 1, 0);
  cache.set("b", 2, 0);
  expect(cache.get("a", 99)).toBe(1);
  cache.set("c", 3, 99);
  expect(["a", "b", "c"].map((key) => cache.get(key, 99))).toEqual([1, undefined, 3]);
  expect(["a", "c"].map((key) => cache.get(key, 100))).toEqual([undefined, 3]);
  expect(cache.get("c", 199)).toBeUndefined();
});
