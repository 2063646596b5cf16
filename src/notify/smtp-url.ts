import type { SmtpProvider } from "./smtp.ts";

/**
 * A mail server as one URL: `smtps://user:password@host:465` is encrypted with a certificate that is checked,
 * `smtp://host:587` encrypted where the server offers it (see {@link SmtpProvider}). User name and password are
 * percent-encoded, as in any URL.
 * @returns undefined if it is something else
 */
export function readSmtpUrl(text: string): Pick<SmtpProvider, "host" | "tls" | "auth"> | undefined {
  const url = URL.parse(text);
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === "") return;
  if (url.pathname.length > 1 || url.search !== "" || url.hash !== "") return;
  const user = decoded(url.username);
  const password = decoded(url.password);
  if (user === undefined || password === undefined || (user === "") !== (password === "")) return;
  return {
    host: url.host,
    tls: url.protocol === "smtps:",
    auth: user === "" ? { type: "none" } : { type: "plain", user, password },
  };
}

/**
 * Who mails come from: `name@example.com` or `Name <name@example.com>`.
 * @returns undefined if the text names no address
 */
export function readSender(text: string): { senderName: string; senderAddress: string } | undefined {
  const match = /^(?:"?([^"<>\r\n]*?)"?\s*<([^<>@\s]+@[^<>@\s]+)>|([^<>@\s]+@[^<>@\s]+))$/.exec(text.trim());
  return match ? { senderName: match[1] ?? "", senderAddress: (match[2] ?? match[3])! } : undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
