import { importPKCS8, SignJWT } from "jose";

/** Apple takes up to six months; one is made for each exchange, so minutes do. */
const LIFETIME_SECONDS = 300;

/**
 * The client secret Apple wants: a JWT of the developer team, signed with its key ("Creating a client secret" of
 * Sign in with Apple).
 * @param privateKey PKCS #8 in PEM, the `.p8` file as Apple gives it out
 * @throws TypeError or a JOSEError if that is no P-256 key
 */
export async function appleClientSecret(
  {
    clientId,
    teamId,
    keyId,
    privateKey,
  }: { clientId: string; teamId: string; keyId: string; privateKey: string },
  at: Date,
): Promise<string> {
  const issuedAt = Math.floor(at.getTime() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: "ES256", kid: keyId })
    .setIssuer(teamId)
    .setSubject(clientId)
    .setAudience("https://appleid.apple.com")
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + LIFETIME_SECONDS)
    .sign(await importPKCS8(privateKey, "ES256"));
}

/** Whether client secrets can be made of this text. */
export async function isAppleKey(privateKey: string): Promise<boolean> {
  return importPKCS8(privateKey, "ES256").then(
    () => true,
    () => false,
  );
}
