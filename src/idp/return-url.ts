import { DomainError } from "../errors.ts";

/** Addresses a browser would run or read instead of going there. */
const REFUSED_SCHEMES = new Set(["javascript:", "data:", "vbscript:", "file:", "blob:", "about:"]);

/**
 * Where a browser shall end, as an absolute address; of an app's own scheme, too.
 * @param base what a relative reference is relative to: this server
 * @throws DomainError `idp.return_url_invalid`
 */
export function returnUrl(text: string, base: string): string {
  const url = URL.parse(text, base);
  if (url === null || REFUSED_SCHEMES.has(url.protocol)) throw new DomainError("idp.return_url_invalid");
  return url.href;
}

/** The address with these parameters in its query, in place of its own of the same names. */
export function withParameters(address: string, parameters: Readonly<Record<string, string>>): string {
  const url = new URL(address);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}
