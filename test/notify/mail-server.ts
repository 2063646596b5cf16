import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { onTestFinished } from "vitest";

const fixtures = join(import.meta.dirname, "../transport/fixtures");
/** For `localhost` and 127.0.0.1, signed by itself. */
export const certificate = readFileSync(join(fixtures, "localhost-cert.pem"), "utf8");
const key = readFileSync(join(fixtures, "localhost-key.pem"), "utf8");

/** Where mail clients look for a certificate they may trust; for the rest of the test. */
export function trustTestCertificate(): void {
  const usual = tls.getCACertificates("default");
  tls.setDefaultCACertificates([...usual, certificate]);
  onTestFinished(() => tls.setDefaultCACertificates(usual));
}

export type ReceivedMail = {
  from: string;
  to: string[];
  /** Names in lower case. */
  headers: Record<string, string>;
  text: string;
  html: string;
  /** Whether the connection was encrypted, and who had logged in on it. */
  encrypted: boolean;
  login: Login | undefined;
};

export type Login = { user: string; password?: string | undefined; accessToken?: string | undefined };

export type MailServer = {
  port: number;
  /** What was accepted. */
  mails: ReceivedMail[];
  /** Connections that were opened, so far. */
  connections(): number;
  close(): Promise<void>;
};

export type MailServerOptions = SMTPServerOptions & {
  /** By default a free one. */
  port?: number;
  /** The reply to RCPT TO or to the message, if it is a refusal. */
  refuse?: { at: "MAIL FROM" | "RCPT TO" | "DATA"; code: number; text?: string } | undefined;
  /** Whether these credentials are right; with it, nobody sends without. */
  accepts?: (login: Login) => boolean;
};

/** A real mail server on a free port of this machine; it is gone when the test is over. */
export async function startMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const server = await openMailServer(options);
  onTestFinished(server.close);
  return server;
}

/** The same until it is closed. `options` are looked at anew for each mail. */
export async function openMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const { accepts, port = 0, refuse: _, ...rest } = options;
  const mails: ReceivedMail[] = [];
  let connections = 0;
  const replyAt = (command: string) =>
    options.refuse?.at === command
      ? Object.assign(new Error(options.refuse.text ?? "5.1.1 no"), { responseCode: options.refuse.code })
      : null;
  const server = new SMTPServer({
    key,
    cert: certificate,
    disableReverseLookup: true,
    authOptional: accepts === undefined,
    authMethods: ["PLAIN", "XOAUTH2"],
    closeTimeout: 10,
    onConnect(_session, done) {
      connections += 1;
      done();
    },
    onAuth({ username = "", password, accessToken }, _session, done) {
      const login = { user: username, password: password ?? undefined, accessToken };
      if (accepts?.(login)) return done(null, { user: login });
      done(Object.assign(new Error("5.7.8 no"), { responseCode: 535 }));
    },
    onMailFrom: (_address, _session, done) => done(replyAt("MAIL FROM")),
    onRcptTo: (_address, _session, done) => done(replyAt("RCPT TO")),
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const refusal = replyAt("DATA");
        if (refusal === null) {
          mails.push({
            from: session.envelope.mailFrom ? session.envelope.mailFrom.address : "",
            to: session.envelope.rcptTo.map(({ address }) => address),
            ...readMail(Buffer.concat(chunks).toString()),
            encrypted: session.secure,
            login: session.user as unknown as Login | undefined,
          });
        }
        done(refusal);
      });
    },
    ...rest,
  });
  server.on("error", () => {});
  const listener = server.listen(port, "127.0.0.1");
  await new Promise((resolve) => listener.once("listening", resolve));
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= new Promise((resolve) => server.close(() => resolve()));
    return closing;
  };
  return { port: (listener.address() as AddressInfo).port, mails, connections: () => connections, close };
}

/** Headers and the two parts of a multipart/alternative mail. */
function readMail(raw: string): Pick<ReceivedMail, "headers" | "text" | "html"> {
  const { headers, body } = readPart(raw);
  const boundary = /boundary="([^"]+)"/.exec(headers["content-type"]!)![1];
  const parts = body
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => readPart(part.replace(/^\r\n/, "").replace(/\r\n$/, "")));
  const bodyOf = (type: string) => {
    const part = parts.find(({ headers }) => headers["content-type"]!.startsWith(type))!;
    return decoded(part.body, part.headers["content-transfer-encoding"]!);
  };
  return { headers, text: bodyOf("text/plain"), html: bodyOf("text/html") };
}

function readPart(raw: string): { headers: Record<string, string>; body: string } {
  const end = raw.indexOf("\r\n\r\n");
  const lines = raw
    .slice(0, end)
    .replaceAll(/\r\n[ \t]/g, " ")
    .split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { headers, body: raw.slice(end + 4) };
}

function decoded(body: string, encoding: string): string {
  if (encoding === "base64") return Buffer.from(body, "base64").toString();
  if (encoding !== "quoted-printable") return body.replaceAll("\r\n", "\n");
  const bytes = body
    .replaceAll(/=\r\n/g, "")
    .replaceAll("\r\n", "\n")
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString();
}
