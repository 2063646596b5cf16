import type { JsonObject } from "@bufbuild/protobuf";
import {
  type ExpectedAuthentication,
  type KnownCredential,
  requestOptions,
  type VerifiedAssertion,
  verifyAssertion,
} from "../../src/web-authn/authentication.ts";
import { readAssertion } from "../../src/web-authn/credential-json.ts";
import {
  creationOptions,
  type RegisteredCredential,
  verifyRegistration,
} from "../../src/web-authn/registration.ts";
import { WebAuthNError, type WebAuthNFailure } from "../../src/web-authn/web-authn-error.ts";
import type { Authenticator, Lies } from "../support/authenticator.ts";

/** Both ceremonies from end to end, without a server around them. */

export const RP_ID = "example.com";
export const USER_ID = "mia";

export const registration = { challenge: "cmVnaXN0cmF0aW9u", rpId: RP_ID, requireUserVerification: true };

export const newCredential = {
  challenge: registration.challenge,
  relyingParty: { id: RP_ID, name: "Gatehouse" },
  user: { id: USER_ID, name: "mia@example.com", displayName: "Mia Example" },
  excludedCredentialIds: [],
};

/** What a browser answers to creation options. */
export const attested = (device: Authenticator, lies?: Lies): JsonObject =>
  device.create(creationOptions(newCredential), lies);

export const register = (
  device: Authenticator,
  lies?: Lies,
  expected: Partial<typeof registration> = {},
): Promise<RegisteredCredential> =>
  verifyRegistration(attested(device, lies), { ...registration, ...expected });

export const authentication = (...allowedCredentialIds: string[]): ExpectedAuthentication => ({
  challenge: "YXV0aGVudGljYXRpb24",
  rpId: RP_ID,
  allowedCredentialIds,
  userVerification: "required",
  userId: USER_ID,
});

/** Signs the challenge and verifies the signature, with whatever is otherwise expected. */
export function authenticate(
  device: Authenticator,
  credential: KnownCredential & { credentialId: string },
  lies?: Lies,
  expected: Partial<ExpectedAuthentication> = {},
): Promise<VerifiedAssertion> {
  const request = authentication(credential.credentialId);
  return verify(device.get(requestOptions(request), lies), { ...request, ...expected }, credential);
}

export async function verify(
  json: unknown,
  expected: ExpectedAuthentication,
  credential: KnownCredential,
): Promise<VerifiedAssertion> {
  return verifyAssertion(readAssertion(json), expected, credential);
}

/** How a ceremony fails. @throws Error if it does not, and whatever is no refusal of ours */
export async function errorOf(ceremony: Promise<unknown>): Promise<WebAuthNError> {
  try {
    await ceremony;
  } catch (error) {
    if (error instanceof WebAuthNError) return error;
    throw error;
  }
  throw new Error("expected a failure");
}

export async function failureOf(ceremony: Promise<unknown>): Promise<WebAuthNFailure> {
  return (await errorOf(ceremony)).failure;
}

/** Why it is refused, as the log would have it, with what the library said. @throws Error if it is malformed */
export async function refusalOf(ceremony: Promise<unknown>): Promise<string> {
  const { failure, message, cause } = await errorOf(ceremony);
  if (failure !== "refused") throw new Error(`${failure}: ${message}`);
  return cause === undefined ? message : `${message}: ${(cause as Error).message}`;
}
