import { isIP } from "node:net";
import { createTransport, type NodemailerError, type SMTPTransportOptions } from "nodemailer";
import { type Delivery, delivered, postponed, refused } from "./delivery.ts";
import { type ClientCredentials, type FetchedTokens, NoAccessToken } from "./fetched-tokens.ts";
import { mailBody } from "./mail-body.ts";
import type { Message } from "./message.ts";

/** A mail server that takes our mails. */
export type SmtpProvider = {
  /** `name:port`; without a port 587, or 465 with `tls`. */
  host: string;
  /**
   * Encrypted, with a certificate that is checked: from the first byte on, or by STARTTLS where the server begins in
   * plain text. Without it STARTTLS is used where it is offered, unchecked, and plain text where not; credentials still
   * go in plain text to this machine only.
   */
  tls: boolean;
  senderAddress: string;
  senderName: string;
  replyToAddress?: string | undefined;
  auth: SmtpAuth;
};

export type SmtpAuth =
  | { type: "none" }
  | { type: "plain"; user: string; password: string }
  | ({ type: "xoauth2"; user: string } & ClientCredentials);

export type SmtpTimeouts = { connectMs: number; greetingMs: number; silenceMs: number; totalMs: number };

const TIMEOUTS: SmtpTimeouts = { connectMs: 10_000, greetingMs: 10_000, silenceMs: 10_000, totalMs: 20_000 };

/** Where a connection always begins in plain text: relay and submission (RFC 6409), and their usual stand-ins. */
const STARTTLS_PORTS = new Set([25, 587, 2525, 2587]);

/** Commands that carry this message; what is said to any other speaks of the connection or of us. */
const MESSAGE_COMMANDS = new Set(["MAIL FROM", "RCPT TO", "DATA"]);

/**
 * Hands a message to a mail server, on a connection of its own.
 *
 * Refused is what the server answers MAIL FROM, RCPT TO or the message with 5xx (RFC 5321 §4.2.1). A server that is
 * not there, does not answer, does not let us in, or says 4xx may take the message later.
 */
export async function sendMail(
  provider: SmtpProvider,
  message: Message,
  fetchedTokens: FetchedTokens,
  timeouts: SmtpTimeouts = TIMEOUTS,
): Promise<Delivery> {
  const { auth } = provider;
  try {
    const login = await loginOf(auth, fetchedTokens);
    // For both ways together.
    const signal = AbortSignal.timeout(timeouts.totalMs);
    for (const way of waysOf(provider)) {
      const error = await attempt(provider, { ...way, ...login }, message, timeouts, signal);
      if (error === undefined) return delivered;
      if (way.secure && spokePlainText(error)) continue;
      if (auth.type === "xoauth2" && error.code === "EAUTH") fetchedTokens.drop(auth);
      return verdictOf(error);
    }
    return postponed("the server speaks plain text");
  } catch (error) {
    if (error instanceof NoAccessToken) return postponed(error.message);
    throw error;
  }
}

async function attempt(
  { senderAddress, senderName, replyToAddress }: SmtpProvider,
  way: SMTPTransportOptions,
  message: Message,
  { connectMs, greetingMs, silenceMs }: SmtpTimeouts,
  signal: AbortSignal,
): Promise<NodemailerError | undefined> {
  const transport = createTransport({
    ...way,
    connectionTimeout: connectMs,
    dnsTimeout: connectMs,
    greetingTimeout: greetingMs,
    socketTimeout: silenceMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({
      from: { name: senderName, address: senderAddress },
      to: { name: "", address: message.recipient },
      ...(replyToAddress ? { replyTo: { name: "", address: replyToAddress } } : {}),
      subject: message.content.subject,
      ...mailBody(message),
      // The same at every attempt: a mail that arrives twice can be told by it.
      messageId: `<${message.id}@${senderAddress.split("@").at(-1)}>`,
      // RFC 3834: no automatic answers, please.
      headers: { "Auto-Submitted": "auto-generated" },
      xMailer: false,
      signal,
    });
    return undefined;
  } catch (error) {
    return error as NodemailerError;
  } finally {
    transport.close();
  }
}

/** How to connect, first choice first. */
function waysOf({ host, tls, auth }: SmtpProvider): (SMTPTransportOptions & { secure: boolean })[] {
  const { name, port = tls ? 465 : 587 } = readHost(host);
  const byUpgrade = {
    host: name,
    port,
    secure: false,
    requireTLS: tls || (auth.type !== "none" && !isLoopback(name)),
    tls: { rejectUnauthorized: tls },
  };
  return tls && !STARTTLS_PORTS.has(port)
    ? [{ host: name, port, secure: true, tls: { rejectUnauthorized: true } }, byUpgrade]
    : [byUpgrade];
}

async function loginOf(auth: SmtpAuth, fetchedTokens: FetchedTokens): Promise<SMTPTransportOptions> {
  switch (auth.type) {
    case "none":
      return {};
    case "plain":
      return { auth: { user: auth.user, pass: auth.password } };
    case "xoauth2":
      return { auth: { type: "OAUTH2", user: auth.user, accessToken: await fetchedTokens.get(auth) } };
  }
}

/** `name:port`, `name`, `[address]:port`; the port is undefined if it is not given. */
export function readHost(host: string): { name: string; port: number | undefined } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(host);
  if (match === null) return { name: host, port: undefined };
  return { name: (match[1] ?? match[2])!, port: match[3] === undefined ? undefined : Number(match[3]) };
}

const isLoopback = (name: string): boolean =>
  name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));

// What a greeting looks like to somebody who expects a TLS record.
const spokePlainText = ({ message, originalCode }: NodemailerError): boolean =>
  /ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)/.test(String(originalCode)) ||
  /wrong version number|packet length too long/.test(message);

function verdictOf(error: NodemailerError): Delivery {
  const { responseCode, command, code, originalCode } = error;
  // An address no mail can be addressed to is refused before anything is sent.
  if (responseCode === undefined) {
    return code === "EENVELOPE"
      ? refused("SMTP: address not usable")
      : postponed(`SMTP: ${originalCode ?? code ?? "unknown"}`);
  }
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\s/.exec(error.response ?? "")?.[1];
  const reason = `SMTP ${responseCode}${enhanced ? ` ${enhanced}` : ""} at ${command ?? "CONN"}`;
  // 503 and 530 say that the session is in the wrong state and that we must log in: neither is about the message.
  const isPermanent =
    responseCode >= 500 && ![503, 530].includes(responseCode) && MESSAGE_COMMANDS.has(command ?? "");
  return isPermanent ? refused(reason) : postponed(reason);
}
