import { hash } from "node:crypto";
import { randomToken } from "../crypto/random-ids.ts";
import type { CallerRepository } from "../storage/caller-repository.ts";
import { type Caller, callerOfOwner } from "./caller.ts";

/** What secret scanners look for. */
const PREFIX = "gatehouse_pat_";
const RANDOM_BYTES = 32;

/** A new token text; shown once, stored as its digest. */
export function newPersonalAccessToken(): string {
  return PREFIX + randomToken(RANDOM_BYTES);
}

/** SHA-256, base64url. The text is random or at least 32 characters the operator chose, so no salt is needed. */
export function personalAccessTokenDigest(token: string): string {
  return hash("sha256", token, "base64url");
}

/**
 * The caller behind a personal access token.
 * @throws DomainError `auth.token_invalid`: unknown, removed or expired, or its user is not active
 */
export async function callerOfToken(callers: CallerRepository, credential: string): Promise<Caller> {
  return callerOfOwner(await callers.tokenOwner(personalAccessTokenDigest(credential)));
}
