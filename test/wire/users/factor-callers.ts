import type { JsonObject } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { hashPassword } from "../../../src/crypto/password-hash.ts";
import { type House, PASSWORD, signIn } from "../../support/fixtures.ts";
import { asking, type Call, type Method, permissionDenied, person, refusal } from "./wire.ts";

/** Callers by what they are; organization roles are held at home, where the person in question lives. */
export type Kind =
  | "owner"
  | "loginClient"
  | "userManager"
  | "viewer"
  | "orgOwner"
  | "orgUserManager"
  | "permissionEditor"
  | "otherOrgOwner"
  | "nobody"
  | "the person"
  | "another person";

export const kinds: readonly Kind[] = [
  "owner",
  "loginClient",
  "userManager",
  "viewer",
  "orgOwner",
  "orgUserManager",
  "permissionEditor",
  "otherOrgOwner",
  "nobody",
  "the person",
  "another person",
];

/** Who holds `user.credential.write` on the person, or is it. */
export const mayGive: readonly Kind[] = ["owner", "loginClient", "orgOwner", "the person"];
/** Who holds `user.write` on the person, or is it. */
export const mayTake: readonly Kind[] = [...mayGive, "userManager", "orgUserManager"];

let count = 0;
/** Of the usual password. To hash it for everybody anew is most of what somebody new costs. */
let hashed: string | undefined;

/** Somebody new at home with a verified address, a verified number and a password. */
export async function newPerson(house: House, more: JsonObject = {}): Promise<string> {
  count += 1;
  hashed ??= hashPassword(PASSWORD);
  const hash = hashed;
  const human = person(`factor-${count}`, {
    phone: { phone: "+41791234567", isVerified: true },
    hashedPassword: { hash },
    ...more,
  });
  const ask = asking(house, house.cast.owner);
  return (await ask("CreateUser", { organizationId: house.cast.home.id, human })).id as string;
}

/** One of the cast, or a person by the token of an own session. */
export async function callerOf(house: House, kind: Kind, userId: string): Promise<Call> {
  const { cast } = house;
  if (kind !== "the person" && kind !== "another person") return asking(house, cast[kind]);
  const checks = signIn(kind === "the person" ? { id: userId } : cast.noah);
  const { sessionToken } = await house.as(cast.loginClient).createSession({ checks });
  return asking(house, { token: sessionToken });
}

/** Who may not is told the same, whether there is such a person or not. */
export async function expectDenied(call: Call, method: Method, request: JsonObject): Promise<void> {
  for (const userId of [request.userId!, "nobody-of-that-id"]) {
    expect(await refusal(call(method, { ...request, userId }))).toEqual(permissionDenied);
  }
}

/** What a field out of its bounds is refused with. */
export const outOfBounds = (field: string, rule: string): { code: number; message: string } => ({
  code: 3,
  message: `invalid ${field}: ${rule}`,
});

export const length = (min: number, max: number): string =>
  `value length must be between ${min} and ${max} runes, inclusive`;
