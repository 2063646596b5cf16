import { isOriginOf } from "./relying-party.ts";
import { WebAuthNError } from "./web-authn-error.ts";

/** What the browser must have been asked, and by whose page. */
export type Ceremony = {
  type: "webauthn.create" | "webauthn.get";
  /** Base64url. */
  challenge: string;
  rpId: string;
};

/**
 * Checks what the browser says it was asked (WebAuthn Level 3 §7.1, 7 to 12, and §7.2, 10 to 15). A frame of another
 * origin counts only inside a page of the same relying party, as the browser reports it: not inside just any page.
 * @param clientDataJSON base64url
 * @returns the origin of the page
 * @throws WebAuthNError `malformed` if it is no JSON object, `refused`
 */
export function checkClientData(clientDataJSON: string, { type, challenge, rpId }: Ceremony): string {
  const clientData = parse(clientDataJSON);
  const { origin, crossOrigin, topOrigin } = clientData;
  if (clientData.type !== type) throw new WebAuthNError("refused", `client data is not of type ${type}`);
  if (clientData.challenge !== challenge) throw new WebAuthNError("refused", "another challenge was signed");
  if (typeof origin !== "string" || !isOriginOf(rpId, origin)) {
    throw new WebAuthNError("refused", `a page of ${shown(origin)} does not speak for ${rpId}`);
  }
  const isFramed = (crossOrigin ?? false) !== false || topOrigin !== undefined;
  if (isFramed && !(typeof topOrigin === "string" && isOriginOf(rpId, topOrigin))) {
    throw new WebAuthNError("refused", `a page framed by ${shown(topOrigin)} does not speak for ${rpId}`);
  }
  return origin;
}

function parse(clientDataJSON: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(Buffer.from(clientDataJSON, "base64url")));
    if (typeof parsed === "object" && parsed !== null) return parsed as Record<string, unknown>;
  } catch {}
  throw new WebAuthNError("malformed", "client data is no JSON object");
}

/** What somebody sent, fit for one line of a log. */
const shown = (value: unknown): string => String(JSON.stringify(value)).slice(0, 200);
