import { isIP } from "node:net";
import { DomainError } from "../errors.ts";
import type { SessionUserAgent } from "../storage/tables.ts";

/** A user agent as a client describes it. */
export type UserAgentInput = {
  fingerprintId?: string;
  ip?: string;
  description?: string;
  header?: Record<string, string[]>;
};

const MAX_HEADERS = 64;
const MAX_CHARACTERS = 16_384;

/**
 * The user agent as the event holds it.
 * @returns a text that is no IP address is left out, without an error (spec session-api §3)
 * @throws DomainError `session.user_agent_too_large` above 64 headers, or 16 Ki characters in all
 */
export function describeUserAgent(input: UserAgentInput): { fingerprint_id?: string } & SessionUserAgent {
  const { fingerprintId, ip, description, header = {} } = input;
  const names = Object.keys(header);
  const characters = JSON.stringify(input).length;
  if (names.length > MAX_HEADERS || characters > MAX_CHARACTERS) {
    throw new DomainError("session.user_agent_too_large");
  }
  const address = ip === undefined ? undefined : normalizedIp(ip);
  return {
    ...(fingerprintId === undefined ? {} : { fingerprint_id: fingerprintId }),
    ...(address === undefined ? {} : { ip: address }),
    ...(description === undefined ? {} : { description }),
    ...(names.length === 0 ? {} : { header }),
  };
}

/** The usual text of an address: dotted decimal, or RFC 5952 as the WHATWG URL parser writes it. */
function normalizedIp(text: string): string | undefined {
  const version = isIP(text);
  if (version === 4) return text;
  // A zone (fe80::1%eth0) means something on the client's machine only, and URL refuses it.
  if (version === 6 && !text.includes("%")) return new URL(`http://[${text}]`).hostname.slice(1, -1);
  return undefined;
}
