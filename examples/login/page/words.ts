import { Code, ConnectError } from "@connectrpc/connect";

/** Whether a call failed because there is no session, or none any more. */
export function isSessionOver(reason: unknown): boolean {
  return reason instanceof ConnectError && reason.code === Code.Unauthenticated;
}

/** What went wrong, for the person in front of the page. */
export function inWords(reason: unknown): string {
  if (reason instanceof DOMException) {
    return browserWords[reason.name] ?? "The browser could not use the key.";
  }
  const { code, rawMessage } = ConnectError.from(reason);
  const [, text = "", id = ""] = /^(.*?)(?: \(([^()]*)\))?$/s.exec(rawMessage) ?? [];
  if (wordsById[id]) return wordsById[id];
  if (/locked/i.test(text)) return "This account is locked. An administrator can unlock it.";
  if (code === Code.Unavailable || code === Code.Unknown) return "The server does not answer. Try again.";
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** By the ids that Gatehouse puts into its errors, which ZITADEL has in common. */
const wordsById: Record<string, string> = {
  "EVENT-8isk2": "That code is wrong, or it has been used before. Wait for the next one.",
  "CODE-woT0xc": "That code is wrong.",
  "CODE-QvUQ4P": "That code has run out. Have another one sent.",
  "DOMAIN-6uvh0": "That is none of your unused recovery codes.",
  "AUTHZ-Kl3p0": "Confirm a second factor first.",
};

const browserWords: Record<string, string> = {
  NotAllowedError:
    "The browser got no answer from a key: it was cancelled, it took too long, or there is none.",
  InvalidStateError: "This key is set up already.",
  SecurityError: "The browser does not allow keys on this page.",
};
