import type { JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { requestOptions } from "../../src/web-authn/authentication.ts";
import { type RegisteredCredential, verifyRegistration } from "../../src/web-authn/registration.ts";
import { WebAuthNError } from "../../src/web-authn/web-authn-error.ts";
import { Authenticator } from "../support/authenticator.ts";
import { attested, authentication, failureOf, register, registration, verify } from "./ceremonies.ts";

/** One thing wrong with the JSON of a credential of either kind. */
const broken: [what: string, change: (json: JsonObject) => unknown][] = [
  ["nothing", () => undefined],
  ["null", () => null],
  ["a text", () => "credential"],
  ["a list", (json) => [json]],
  ["an empty object", () => ({})],
  ["no id", ({ id: _, ...rest }) => rest],
  ["no raw id", ({ rawId: _, ...rest }) => rest],
  ["no type", ({ type: _, ...rest }) => rest],
  ["no response", ({ response: _, ...rest }) => rest],
  ["another type", (json) => ({ ...json, type: "password" })],
  ["two different ids", (json) => ({ ...json, rawId: "AAEC" })],
  ["an id that is a number", (json) => ({ ...json, id: 1, rawId: 1 })],
  ["an empty id", (json) => ({ ...json, id: "", rawId: "" })],
  ["an id in base64 of the other alphabet", (json) => ({ ...json, id: "+/+/", rawId: "+/+/" })],
  ["an id written in a second way", (json) => ({ ...json, id: "AAF", rawId: "AAF" })],
  ["an id too long", (json) => ({ ...json, id: "A".repeat(1_368), rawId: "A".repeat(1_368) })],
  ["a response that is a list", (json) => ({ ...json, response: [] })],
  ["client data that is no base64url", (json) => withResponse(json, { clientDataJSON: "%%%" })],
  ["client data that is too long", (json) => withResponse(json, { clientDataJSON: "AAAA".repeat(20_000) })],
  ["client data that is no JSON", (json) => withResponse(json, { clientDataJSON: base64url("{") })],
  ["client data that is JSON null", (json) => withResponse(json, { clientDataJSON: base64url("null") })],
];

const withResponse = (json: JsonObject, changes: JsonObject) => ({
  ...json,
  response: { ...(json.response as JsonObject), ...changes },
});

const base64url = (text: string) => Buffer.from(text).toString("base64url");

describe("what is not a credential's JSON", () => {
  let device: Authenticator;
  let credential: RegisteredCredential;
  beforeAll(async () => {
    device = new Authenticator({ origin: "https://login.example.com" });
    credential = await register(device);
  });
  const request = () => authentication(credential.credentialId);
  const asserted = () => device.get(requestOptions(request()));
  const tryRegistration = (json: unknown) => verifyRegistration(json, registration);
  const tryAssertion = (json: unknown) => verify(json, request(), credential);

  test.each(broken)("%s: is malformed as a registration", async (_, change) => {
    expect(await failureOf(tryRegistration(change(attested(new Authenticator()))))).toBe("malformed");
  });

  test.each(broken)("%s: is malformed as an assertion", async (_, change) => {
    expect(await failureOf(tryAssertion(change(asserted())))).toBe("malformed");
  });

  test.each([
    ["no attestation object", { attestationObject: null }],
    ["transports that are a text", { transports: "usb" }],
    ["a transport that is a number", { transports: [1] }],
    ["a transport that is a page long", { transports: ["a".repeat(1_000)] }],
    ["more transports than there are", { transports: new Array(17).fill("usb") }],
  ])("%s: is malformed as a registration", async (_, changes) => {
    expect(await failureOf(tryRegistration(withResponse(attested(new Authenticator()), changes)))).toBe(
      "malformed",
    );
  });

  test.each([
    ["no authenticator data", { authenticatorData: null }],
    ["no signature", { signature: null }],
    ["an empty signature", { signature: "" }],
    ["a user handle that is an object", { userHandle: {} }],
    ["a user handle that is a number", { userHandle: 0 }],
  ])("%s: is malformed as an assertion", async (_, changes) => {
    expect(await failureOf(tryAssertion(withResponse(asserted(), changes)))).toBe("malformed");
  });

  test("a registration is no assertion, and an assertion no registration", async () => {
    expect(await failureOf(tryAssertion(attested(new Authenticator())))).toBe("malformed");
    expect(await failureOf(tryRegistration(asserted()))).toBe("malformed");
  });

  /** Whatever it is, it is refused, and in no other way. */
  const expectRefusal = async (ceremony: Promise<unknown>) => {
    await expect(ceremony).rejects.toBeInstanceOf(WebAuthNError);
  };

  test("any JSON is refused", async () => {
    const members = { id: fc.jsonValue(), rawId: fc.jsonValue(), type: fc.jsonValue() };
    const shaped = fc.record({ ...members, response: fc.dictionary(fc.string(), fc.jsonValue()) });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), shaped), async (json) => {
        await expectRefusal(tryRegistration(json));
        await expectRefusal(tryAssertion(json));
      }),
      { numRuns: 300 },
    );
  });

  test("any bytes where a credential has binary members are refused", async () => {
    const bytes = fc
      .uint8Array({ minLength: 1, maxLength: 300 })
      .map((value) => Buffer.from(value).toString("base64url"));
    const registrationMembers = fc.record(
      { clientDataJSON: bytes, attestationObject: bytes },
      { requiredKeys: [] },
    );
    const assertionMembers = fc.record(
      { clientDataJSON: bytes, authenticatorData: bytes, signature: bytes, userHandle: bytes },
      { requiredKeys: [] },
    );
    const some = (members: object) => fc.pre(Object.keys(members).length > 0);
    await fc.assert(
      fc.asyncProperty(registrationMembers, assertionMembers, async (ofRegistration, ofAssertion) => {
        some(ofRegistration);
        some(ofAssertion);
        await expectRefusal(tryRegistration(withResponse(attested(new Authenticator()), ofRegistration)));
        await expectRefusal(tryAssertion(withResponse(asserted(), ofAssertion)));
      }),
      { numRuns: 300 },
    );
  });

  test("a flipped bit anywhere in a signed member is refused", async () => {
    // Of the algorithms the one with a single way to write a signature.
    const ed25519 = new Authenticator({ origin: "https://login.example.com", algorithm: "EdDSA" });
    const known = await register(ed25519);
    const expected = authentication(known.credentialId);
    const json = ed25519.get(requestOptions(expected)) as { response: Record<string, string> };
    const member = fc.constantFrom("clientDataJSON", "authenticatorData", "signature");
    await fc.assert(
      fc.asyncProperty(member, fc.nat(), fc.integer({ min: 0, max: 7 }), async (name, place, bit) => {
        const changed = Buffer.from(json.response[name]!, "base64url");
        changed[place % changed.length]! ^= 1 << bit;
        const changes = { [name]: changed.toString("base64url") };
        await expectRefusal(verify(withResponse(json as JsonObject, changes), expected, known));
      }),
      { numRuns: 300 },
    );
  });
});
