import { createPublicKey } from "node:crypto";
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import { signatureAlgorithms } from "./machine-key-pair.ts";
import { TokenRefusal } from "./token-refusal.ts";

const MAX_LIFETIME_SECONDS = 3_600;
/** How far two honest clocks may be apart. */
const CLOCK_SKEW_SECONDS = 30;

/** All that is said before the signature is known to be right: which keys there are is nobody's business. */
const UNKNOWN = "the assertion is not signed by a key known here";

/** @returns which key the assertion says it is signed with; undefined if it says nothing, or is no JWT */
export function keyIdOf(assertion: string): string | undefined {
  try {
    return decodeProtectedHeader(assertion).kid;
  } catch {
    return undefined;
  }
}

/**
 * Checks the JWT a service account asks for an access token with (RFC 7523 §3): its signature by the key's own kind of
 * algorithm; `iss` and `sub` are the user; `aud` names this server; `exp` is at most an hour ahead, `nbf` and `iat`,
 * where there are any, have come. The same assertion may come again while it lasts: RFC 7523 leaves `jti` to the server,
 * and what it gives is but another access token bound to the same key.
 * @param key as stored; undefined: nobody has it
 * @param audiences the names of this server, any of which will do
 * @throws TokenRefusal `invalid_grant`
 */
export async function verifyAssertion(
  assertion: string,
  key: { userId: string; publicKey: string } | undefined,
  audiences: readonly string[],
  now: Date,
): Promise<void> {
  if (!key) throw new TokenRefusal("invalid_grant", UNKNOWN);
  const publicKey = createPublicKey(key.publicKey);
  const { payload } = await jwtVerify(assertion, publicKey, {
    algorithms: [...signatureAlgorithms(publicKey)],
    issuer: key.userId,
    subject: key.userId,
    audience: [...audiences],
    requiredClaims: ["exp"],
    clockTolerance: CLOCK_SKEW_SECONDS,
    currentDate: now,
  }).catch((error: unknown) => {
    if (error instanceof errors.JOSEError) throw new TokenRefusal("invalid_grant", reasonOf(error));
    throw error;
  });
  checkTimes(payload, now.getTime() / 1_000 + CLOCK_SKEW_SECONDS);
}

function checkTimes({ exp, iat }: JWTPayload, latestSeconds: number): void {
  if (exp! > latestSeconds + MAX_LIFETIME_SECONDS) {
    throw new TokenRefusal("invalid_grant", "the assertion expires more than an hour from now");
  }
  if (iat !== undefined && iat > latestSeconds) {
    throw new TokenRefusal("invalid_grant", "the assertion was issued in the future");
  }
}

function reasonOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return "the assertion has expired";
  if (!(error instanceof errors.JWTClaimValidationFailed)) return UNKNOWN;
  switch (error.claim) {
    case "iss":
    case "sub":
      return "iss and sub of the assertion are not the user the key belongs to";
    case "aud":
      return "aud of the assertion does not name this server";
    default:
      return error.reason === "missing"
        ? `the assertion has no ${error.claim}`
        : `${error.claim} of the assertion is not acceptable`;
  }
}
