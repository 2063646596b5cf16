import { DomainError } from "../errors.ts";

const SCHEME = "Bearer ";

/**
 * The credential of an `authorization` header: what follows the literal `Bearer ` (RFC 6750 §2.1, case and single
 * space taken literally; text before it is tolerated, the literal twice is not; spec authorization §1).
 * @throws DomainError `auth.header_missing`, `auth.header_invalid`
 */
export function bearerCredential(header: string | null | undefined): string {
  if (!header) throw new DomainError("auth.header_missing");
  const at = header.indexOf(SCHEME);
  const credential = at < 0 ? "" : header.slice(at + SCHEME.length);
  if (credential === "" || credential.includes(SCHEME)) throw new DomainError("auth.header_invalid");
  return credential;
}
