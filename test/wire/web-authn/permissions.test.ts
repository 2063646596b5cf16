import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callerOf, expectDenied, type Kind, kinds, mayGive, mayTake } from "../users/factor-callers.ts";
import { asking, type Call, type Method, permissionDenied, refusal } from "../users/wire.ts";
import {
  newDevice,
  newPerson,
  registerPasskey,
  registerU2F,
  type Site,
  signedInByPasskey,
  startSite,
} from "./site.ts";

describe("a person's passkeys and security keys", () => {
  let site: Site;
  let ask: Call;
  beforeAll(async () => {
    site = await startSite("pglite");
    ask = asking(site, site.cast.owner);
  });
  afterAll(() => site.close());

  /** A call that is new each time, of a person with nothing yet, or with what is to be taken away. */
  const given: [
    method: Method,
    allowed: readonly Kind[],
    prepare: (userId: string) => Promise<JsonObject>,
  ][] = [
    ["RegisterPasskey", mayGive, async () => ({})],
    ["RegisterU2F", mayGive, async () => ({})],
    [
      "VerifyPasskeyRegistration",
      mayGive,
      async (userId) => {
        const { passkeyId, publicKeyCredentialCreationOptions } = await ask("RegisterPasskey", { userId });
        const publicKeyCredential = newDevice().create(publicKeyCredentialCreationOptions);
        return { passkeyId: passkeyId!, publicKeyCredential, passkeyName: "Phone" };
      },
    ],
    [
      "VerifyU2FRegistration",
      mayGive,
      async (userId) => {
        const { u2fId, publicKeyCredentialCreationOptions } = await ask("RegisterU2F", { userId });
        const publicKeyCredential = newDevice().create(publicKeyCredentialCreationOptions);
        return { u2fId: u2fId!, publicKeyCredential, tokenName: "Key" };
      },
    ],
    [
      "RemovePasskey",
      mayTake,
      async (id) => ({ passkeyId: (await registerPasskey(ask, { id }, newDevice())).id }),
    ],
    ["RemoveU2F", mayTake, async (id) => ({ u2fId: (await registerU2F(ask, { id }, newDevice())).id })],
  ];
  const table = given.flatMap(([method, allowed, prepare]) =>
    kinds.map((kind) => ({ method, kind, may: allowed.includes(kind), prepare })),
  );

  /** A person acts by a passkey: a password alone counts no more once there is a security key to ask for. */
  const callOf = async (kind: Kind, userId: string) => {
    if (kind !== "the person") return callerOf(site, kind, userId);
    const device = newDevice();
    await registerPasskey(ask, { id: userId }, device);
    return asking(site, await signedInByPasskey(site, { id: userId }, device));
  };

  test.each(table)("$method by $kind: $may", async ({ method, kind, may, prepare }) => {
    const { id: userId } = await newPerson(site);
    const call = await callOf(kind, userId);
    const request = { userId, ...(await prepare(userId)) };
    if (may) await call(method, request);
    else await expectDenied(call, method, request);
  });

  test("are registered by a stranger's session only with a code, which is denied to nobody", async () => {
    const { id: userId } = await newPerson(site);
    const stranger = await callerOf(site, "another person", userId);
    expect(await refusal(stranger("RegisterPasskey", { userId }))).toEqual(permissionDenied);
    const { code } = await ask("CreatePasskeyRegistrationLink", { userId, returnCode: {} });
    await stranger("RegisterPasskey", { userId, code: code! });
  });
});
