import { connect, createServer, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { FetchedTokens } from "../../src/notify/fetched-tokens.ts";
import { type SmtpProvider, sendMail } from "../../src/notify/smtp.ts";
import { startReceiver } from "./http-receiver.ts";
import { startMailServer, trustTestCertificate } from "./mail-server.ts";
import { mail } from "./messages.ts";

const provider = (port: number, overrides: Partial<SmtpProvider> = {}): SmtpProvider => ({
  host: `127.0.0.1:${port}`,
  tls: false,
  senderAddress: "no-reply@example.com",
  senderName: "The Gatehouse",
  auth: { type: "none" },
  ...overrides,
});

const send = (to: SmtpProvider, message = mail(), tokens = new FetchedTokens()) =>
  sendMail(to, message, tokens);

/** A server that says and does what it is told, and no SMTP of its own. */
async function startServer(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

/** A port nobody listens on: it was free a moment ago. */
async function closedPort(): Promise<number> {
  const { port, close } = await startMailServer();
  await close();
  return port;
}

describe("a mail that is accepted", () => {
  test("carries sender, recipient, subject, both forms of the text, the code and the link", async () => {
    const server = await startMailServer();
    const to = provider(server.port, { replyToAddress: "help@example.com" });
    expect(await send(to)).toEqual({ outcome: "delivered" });
    const [received, ...others] = server.mails;
    expect(others).toEqual([]);
    expect(received).toMatchObject({ from: "no-reply@example.com", to: ["ada@example.org"] });
    expect(received!.headers).toMatchObject({
      from: "The Gatehouse <no-reply@example.com>",
      to: "ada@example.org",
      "reply-to": "help@example.com",
      subject: "Your sign-in code (auth.example.com)",
      "message-id": "<0192f000-0000-7000-8000-000000000001@example.com>",
      "auto-submitted": "auto-generated",
    });
    expect(received!.text).toContain("Hello Ada Lovelace,\n\nYour code is 12345678.");
    expect(received!.text).toContain("https://app.example.com/otp?code=12345678&user=ada%20l\n");
    expect(received!.html).toContain("Your code is 12345678.");
    expect(received!.html).toContain('href="https://app.example.com/otp?code=12345678&amp;user=ada%20l"');
    expect(received!.headers).not.toHaveProperty("x-mailer");
  });

  test("loads nothing from anywhere and runs nothing when it is read", async () => {
    const server = await startMailServer();
    const message = mail();
    const greeting = `Hello <script src="https://evil.example/x.js"></script> & "friends",`;
    await send(provider(server.port), { ...message, content: { ...message.content, greeting } });
    const { html } = server.mails[0]!;
    expect(html).not.toMatch(/<(script|img|link|iframe|style|object|svg)\b|\bsrc="|url\(|@import/i);
    expect(html).toContain("Hello &lt;script src=&quot;https://evil.example/x.js&quot;&gt;");
  });

  test.each(["javascript:alert(1)", "data:text/html,x", "app://otp", " https://x.example"])(
    "shows %s and makes no link of it",
    async (url) => {
      const server = await startMailServer();
      await send(provider(server.port), mail({ url }));
      expect(server.mails[0]!.html).not.toContain("href");
      expect(server.mails[0]!.text).toContain(url);
    },
  );

  test("says nothing of a link that there is not", async () => {
    const server = await startMailServer();
    await send(provider(server.port), mail({ url: undefined }));
    expect(server.mails[0]!.text.trim().split("\n\n")).toHaveLength(2);
    expect(server.mails[0]!.html).not.toContain("Continue signing in");
  });

  test("has one recipient and no header that a name smuggled in", async () => {
    const server = await startMailServer();
    const to = provider(server.port, { senderName: "Gate\r\nBcc: eve@example.net" });
    expect(await send(to)).toEqual({ outcome: "delivered" });
    expect(server.mails[0]!.to).toEqual(["ada@example.org"]);
    expect(server.mails[0]!.headers).not.toHaveProperty("bcc");
  });
});

describe("what the server says of the message", () => {
  test.each([
    ["RCPT TO", 550],
    ["RCPT TO", 553],
    ["DATA", 554],
    ["MAIL FROM", 550],
  ] as const)("%s: %i is for good", async (at, code) => {
    const server = await startMailServer({ refuse: { at, code } });
    const reason = `SMTP ${code} 5.1.1 at ${at}`;
    expect(await send(provider(server.port))).toEqual({ outcome: "refused", reason });
    expect(server.mails).toEqual([]);
  });

  test.each([
    ["RCPT TO", 450],
    ["DATA", 451],
    ["MAIL FROM", 452],
    ["MAIL FROM", 503],
    ["MAIL FROM", 530],
  ] as const)("%s: %i is for now", async (at, code) => {
    const server = await startMailServer({ refuse: { at, code, text: "try later" } });
    const reason = `SMTP ${code} at ${at}`;
    expect(await send(provider(server.port))).toEqual({ outcome: "postponed", reason });
  });

  test("is not repeated: it may quote the mail, and with it the code", async () => {
    const server = await startMailServer({
      refuse: { at: "DATA", code: 554, text: "5.7.1 spam: Your code is 12345678 for ada@example.org" },
    });
    const delivery = await send(provider(server.port));
    expect(delivery).toEqual({ outcome: "refused", reason: "SMTP 554 5.7.1 at DATA" });
  });

  test("an address no mail can go to is refused without asking", async () => {
    const server = await startMailServer();
    const delivery = await send(
      provider(server.port),
      mail({ recipient: "ada lovelace\r\nRCPT TO:<eve@x>" }),
    );
    expect(delivery.outcome).toBe("refused");
    expect(server.mails).toEqual([]);
  });
});

describe("a server that is in trouble", () => {
  test("nobody listens: later", async () => {
    expect(await send(provider(await closedPort()))).toEqual({
      outcome: "postponed",
      reason: "SMTP: ECONNREFUSED",
    });
  });

  test("no such host: later", async () => {
    const delivery = await send(provider(25, { host: "mail.gatehouse.invalid:25" }));
    expect(delivery).toEqual({ outcome: "postponed", reason: "SMTP: ENOTFOUND" });
  });

  test("hangs up before its greeting, in the middle, or after the message: later", async () => {
    const hangsUpAt = (command: RegExp) => (socket: Socket) => {
      let said = "";
      socket.write("220 ready\r\n");
      socket.on("data", (data) => {
        said += data.toString();
        if (command.test(said)) socket.destroy();
        else if (/^DATA\r\n$/m.test(said)) socket.write("354 go on\r\n");
        else if (!/^DATA/m.test(said)) socket.write("250 ok\r\n");
      });
    };
    const troubles = [
      (socket: Socket) => void socket.destroy(),
      hangsUpAt(/^MAIL/m),
      hangsUpAt(/^RCPT/m),
      hangsUpAt(/^\.\r\n/m),
    ];
    for (const trouble of troubles) {
      const delivery = await send(provider(await startServer(trouble)));
      expect(delivery).toMatchObject({ outcome: "postponed" });
    }
  });

  test("closes with 421 in the middle: later", async () => {
    const server = await startMailServer({ refuse: { at: "RCPT TO", code: 421 } });
    expect(await send(provider(server.port))).toMatchObject({ outcome: "postponed" });
  });

  test("greets with 554: later, since it has not seen the message", async () => {
    const port = await startServer((socket) => socket.end("554 no service\r\n"));
    expect(await send(provider(port))).toMatchObject({ outcome: "postponed" });
  });

  test("says nothing at all: later, after the time it is given", async () => {
    const port = await startServer(() => {});
    const timeouts = { connectMs: 1_000, greetingMs: 50, silenceMs: 50, totalMs: 5_000 };
    const delivery = await sendMail(provider(port), mail(), new FetchedTokens(), timeouts);
    expect(delivery).toEqual({ outcome: "postponed", reason: "SMTP: ETIMEDOUT" });
  });

  test("says a little at a time, for ever: later, after the time it is given in all", async () => {
    const port = await startServer((socket) => {
      const dribble = setInterval(() => socket.write("220-still here\r\n"), 5);
      socket.on("close", () => clearInterval(dribble));
    });
    const timeouts = { connectMs: 60_000, greetingMs: 60_000, silenceMs: 60_000, totalMs: 100 };
    const delivery = await sendMail(provider(port), mail(), new FetchedTokens(), timeouts);
    expect(delivery).toEqual({ outcome: "postponed", reason: "SMTP: EABORT" });
  });
});

describe("encryption", () => {
  test("with tls a mail goes to a server that is encrypted from the first byte on", async () => {
    trustTestCertificate();
    const server = await startMailServer({ secure: true });
    expect(await send(provider(server.port, { tls: true }))).toEqual({ outcome: "delivered" });
    expect(server.mails[0]!.encrypted).toBe(true);
  });

  test("with tls a mail goes by STARTTLS to a server that begins in plain text", async () => {
    trustTestCertificate();
    const server = await startMailServer();
    expect(await send(provider(server.port, { tls: true }))).toEqual({ outcome: "delivered" });
    expect(server.mails[0]!.encrypted).toBe(true);
  });

  test("with tls nothing is said to a server that cannot encrypt", async () => {
    const server = await startMailServer({ disabledCommands: ["STARTTLS"] });
    expect(await send(provider(server.port, { tls: true }))).toMatchObject({ outcome: "postponed" });
    expect(server.mails).toEqual([]);
  });

  test.each([{ secure: true }, { secure: false }])(
    "with tls nothing is said to a server whose certificate nobody vouches for (%j)",
    async (options) => {
      const server = await startMailServer(options);
      expect(await send(provider(server.port, { tls: true }))).toMatchObject({ outcome: "postponed" });
      expect(server.mails).toEqual([]);
    },
  );

  test("without tls it is encrypted where the server offers it, and plain where not", async () => {
    const offering = await startMailServer();
    const plain = await startMailServer({ disabledCommands: ["STARTTLS"] });
    expect(await send(provider(offering.port))).toEqual({ outcome: "delivered" });
    expect(await send(provider(plain.port))).toEqual({ outcome: "delivered" });
    expect([offering.mails[0]!.encrypted, plain.mails[0]!.encrypted]).toEqual([true, false]);
  });
});

describe("logging in", () => {
  const ada = { type: "plain", user: "relay", password: "s3cret" } as const;
  const accepts = ({ user, password }: { user: string; password?: string | undefined }) =>
    user === "relay" && password === "s3cret";

  test("with user and password", async () => {
    const server = await startMailServer({ accepts });
    expect(await send(provider(server.port, { auth: ada }))).toEqual({ outcome: "delivered" });
    expect(server.mails[0]!.login).toMatchObject({ user: "relay", password: "s3cret" });
  });

  test("a wrong password says nothing of the message: later", async () => {
    const server = await startMailServer({ accepts });
    const wrong = provider(server.port, { auth: { ...ada, password: "wrong" } });
    const delivery = await send(wrong);
    expect(delivery).toMatchObject({ outcome: "postponed" });
    expect(JSON.stringify(delivery)).not.toContain("wrong");
  });

  test("in plain text only to this machine itself", async () => {
    const server = await startMailServer({
      accepts,
      disabledCommands: ["STARTTLS"],
      allowInsecureAuth: true,
    });
    expect(await send(provider(server.port, { auth: ada }))).toEqual({ outcome: "delivered" });
    // The same server by a name that could be anybody's.
    const elsewhere = provider(server.port, { auth: ada, host: `0.0.0.0:${server.port}` });
    expect(await send(elsewhere)).toMatchObject({ outcome: "postponed" });
    expect(server.mails).toHaveLength(1);
  });

  const oauth = (tokenEndpoint: string) =>
    ({
      type: "xoauth2",
      user: "relay@example.com",
      tokenEndpoint,
      scopes: ["https://mail.example/.default"],
      clientId: "client",
      clientSecret: "hush",
    }) as const;
  const grant = (access_token: string, expires_in = 3_600) => ({
    status: 200,
    body: JSON.stringify({ token_type: "Bearer", access_token, expires_in }),
  });

  test("with an access token, asked for once while it is good", async () => {
    const endpoint = await startReceiver((_, count) => grant(`token-${count}`));
    const server = await startMailServer({ accepts: ({ accessToken }) => accessToken === "token-1" });
    const tokens = new FetchedTokens();
    const to = provider(server.port, { auth: oauth(endpoint.url) });
    expect(await send(to, mail(), tokens)).toEqual({ outcome: "delivered" });
    expect(await send(to, mail(), tokens)).toEqual({ outcome: "delivered" });
    expect(server.mails[0]!.login).toMatchObject({ user: "relay@example.com", accessToken: "token-1" });
    expect(endpoint.requests).toHaveLength(1);
    expect(Object.fromEntries(new URLSearchParams(endpoint.requests[0]!.body))).toEqual({
      grant_type: "client_credentials",
      client_id: "client",
      client_secret: "hush",
      scope: "https://mail.example/.default",
    });
  });

  test("with a new access token once the old one is about to expire", async () => {
    let now = 0;
    const endpoint = await startReceiver((_, count) => grant(`token-${count}`, 600));
    const server = await startMailServer({ accepts: () => true });
    const tokens = new FetchedTokens(() => now);
    const to = provider(server.port, { auth: oauth(endpoint.url) });
    await send(to, mail(), tokens);
    now = 539_999;
    await send(to, mail(), tokens);
    now = 540_000;
    await send(to, mail(), tokens);
    expect(server.mails.map(({ login }) => login!.accessToken)).toEqual(["token-1", "token-1", "token-2"]);
  });

  test("an access token the mail server does not take is not used again", async () => {
    const endpoint = await startReceiver((_, count) => grant(`token-${count}`));
    const server = await startMailServer({ accepts: ({ accessToken }) => accessToken === "token-2" });
    const tokens = new FetchedTokens();
    const to = provider(server.port, { auth: oauth(endpoint.url) });
    expect(await send(to, mail(), tokens)).toMatchObject({ outcome: "postponed" });
    expect(await send(to, mail(), tokens)).toEqual({ outcome: "delivered" });
  });

  test.each([
    ["refuses", { status: 401, body: '{"error":"invalid_client"}' }],
    ["answers something else", { status: 200, body: "<html>" }],
    ["answers no token", { status: 200, body: "{}" }],
    ["redirects", { status: 302, headers: { location: "/other" } }],
  ] as const)("a token endpoint that %s: later", async (_, reply) => {
    const endpoint = await startReceiver(() => reply);
    const server = await startMailServer({ accepts: () => true });
    const delivery = await send(provider(server.port, { auth: oauth(endpoint.url) }));
    const reason = `token endpoint: HTTP ${reply.status} without a token`;
    expect(delivery).toEqual({ outcome: "postponed", reason });
    expect(endpoint.requests).toHaveLength(1);
    expect(server.connections()).toBe(0);
  });
});

test("a mail server's port is closed when nothing listens, as the tests above assume", async () => {
  const port = await closedPort();
  await expect(
    new Promise((resolve, reject) => connect(port, "127.0.0.1", () => resolve("open")).on("error", reject)),
  ).rejects.toThrow("ECONNREFUSED");
});
