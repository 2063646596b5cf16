import { isIPv4 } from "node:net";

/** LDH labels in lower case, and underscores, which names inside a network have; internationalised ones as `xn--…`. */
const LABEL_PATTERN = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const MAX_LENGTH = 253;

/**
 * Whether the text can be a relying party id (WebAuthn Level 3 §5.4.2): a bare domain. Without scheme, port or dot at
 * the end, and no IP address. What is a public suffix only browsers know, and they refuse it.
 */
export function isRelyingPartyId(text: string): boolean {
  const labels = text.split(".");
  if (text.length > MAX_LENGTH || !labels.every((label) => LABEL_PATTERN.test(label))) return false;
  // To a browser 127.1 and 0x7f000001 are addresses too, written otherwise.
  return URL.parse(`https://${text}`)?.hostname === text && !isIPv4(text);
}

/**
 * Whether a page of this origin speaks for the relying party: https, and a host that is its id or a subdomain of it, on
 * any port. On localhost, where browsers count it as secure, http will do.
 * @param origin serialized as in client data, `https://login.example.com:8443`
 */
export function isOriginOf(rpId: string, origin: string): boolean {
  const url = URL.parse(origin);
  if (url === null || url.origin !== origin) return false;
  if (!isWithin(url.hostname, rpId)) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isWithin(url.hostname, "localhost"));
}

const isWithin = (host: string, domain: string): boolean => host === domain || host.endsWith(`.${domain}`);
