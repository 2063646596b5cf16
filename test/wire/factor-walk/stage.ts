import { randomBytes } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { pino } from "pino";
import { expect } from "vitest";
import { until } from "../../crash/poll.ts";
import { type HttpReceiver, openReceiver, type Replies } from "../../notify/http-receiver.ts";
import {
  type Login,
  type MailServer,
  type MailServerOptions,
  openMailServer,
  type ReceivedMail,
} from "../../notify/mail-server.ts";
import type { Engine } from "../../support/databases.ts";
import { type Cast, type House, startHouse } from "../../support/fixtures.ts";
import { type OpenIdProvider, startOpenIdProvider } from "../../support/openid-provider.ts";
import { Secrets } from "../../support/secrets.ts";
import { codeIn, mailTo } from "../delivery/post.ts";
import { account } from "../idp/walk.ts";
import type { Protocol } from "../protocols.ts";
import { asking, type ServiceName } from "../settings/wire.ts";
import { person } from "../users/wire.ts";

/** What the house is known as, wherever it listens. */
export const PUBLIC_URL = "https://acme.example";

/** Somebody to call as. */
export type Caller = { token: string } | undefined;

export type Person = { userId: string; email: string; phone: string; password: string };

/** Everything outside that codes, passwords and tokens go to, and everything inside that must not show them. */
export type Stage = {
  house: House;
  cast: Cast;
  mails: MailServer;
  /** How the mail server refuses mails; looked at anew for each. */
  mailOptions: MailServerOptions;
  /** Whom the mail server lets in. */
  letsIn: (login: Login) => boolean;
  /** Takes text messages, by webhook and as Twilio, and gives out tokens for mail servers. */
  receiver: HttpReceiver;
  /** What the receiver says; undefined: that all is well. */
  reply: Replies | undefined;
  provider: OpenIdProvider;
  account: ReturnType<typeof account>;
  /** How the provider knows the house. */
  client: { id: string; secret: string };

  secrets: Secrets;
  /** The log, line by line. */
  lines: string[];
  /** Every refusal's whole answer: headers, text, details. */
  refusals: string[];
  /** What Get and List methods answered. */
  reads: string[];

  /** What calls go over that do not say otherwise. */
  protocol: Protocol;
  /** Asks, and is answered. @throws ConnectError */
  ask(
    service: ServiceName,
    caller: Caller,
    method: string,
    request: JsonObject,
    over?: Protocol,
  ): Promise<JsonObject>;
  /** Asks, and is refused: for a reason that is the caller's. */
  refused(service: ServiceName, caller: Caller, method: string, request: JsonObject): Promise<Code>;
  /** Sends what no client would; the answer is kept unless all is well. */
  send(path: string, request: RequestInit): Promise<Response>;

  /** Remembers a secret. @returns it */
  secret<S extends string>(name: string, value: S): S;
  /** Something wrong to say where a secret is asked for: a secret as well, for it may be a mistyped one. */
  guess(name: string): string;
  /** A password that is good enough. */
  newPassword(name?: string): string;
  /** Somebody new with a password, a verified address and a verified number. */
  newPerson(more?: JsonObject): Promise<Person>;
  /** The mail that `act` has sent to this address. */
  mailed(email: string, act: () => Promise<unknown>): Promise<{ code: string; mail: ReceivedMail }>;
  /** The code that `act` has sent to this number, by whichever provider. */
  texted(phone: string, act: () => Promise<unknown>): Promise<string>;
  /** What the log says of an attempt to send a message, once it does so. */
  reported(outcome: string, act: () => Promise<unknown>): Promise<void>;
  close(): Promise<void>;
};

/** A house in the middle of a mail server, a receiver of text messages and an identity provider, all of them real. */
export async function openStage(engine: Engine): Promise<Stage> {
  const [lines, refusals, reads]: string[][] = [[], [], []];
  const secrets = new Secrets();
  const mailOptions: MailServerOptions = { accepts: (login) => stage.letsIn(login) };
  const mails = await openMailServer(mailOptions);
  const receiver = await openReceiver(
    (request, count) => stage.reply?.(request, count) ?? { status: 200, body: "{}" },
  );
  // Neither process nor host are the server's own words, and the number of a process could be a code.
  const logger = pino({ level: "trace", base: null }, { write: (line: string) => void lines!.push(line) });
  const house = await startHouse(engine, {
    config: { publicUrl: PUBLIC_URL, issuerName: "Acme" },
    server: {
      logger,
      delay: async () => {},
      delivery: {
        twilioUrl: receiver.url,
        timing: { retryAfterMs: () => 20, pollMs: { least: 5, most: 20 } },
      },
    },
  });
  const { cast } = house;
  const somebody = account("ada", 1815);
  const client = { id: "gatehouse", secret: `secret at the provider ${randomBytes(9).toString("hex")}` };
  const provider = await startOpenIdProvider({
    accounts: [somebody],
    clients: [{ ...client, redirectUris: [`${PUBLIC_URL}/idps/callback`] }],
  });

  let people = 0;
  const stage: Stage = {
    house,
    cast,
    mails,
    mailOptions,
    letsIn: () => false,
    receiver,
    reply: undefined,
    provider,
    account: somebody,
    client,
    secrets,
    lines: lines!,
    refusals: refusals!,
    reads: reads!,
    protocol: "gRPC",

    async ask(service, caller, method, request, over = stage.protocol) {
      const answer = await asking(house, service, caller, over)(method, request);
      if (/^(Get|List)/.test(method)) reads!.push(JSON.stringify(answer));
      return answer;
    },
    async refused(service, caller, method, request) {
      const answer = await stage.ask(service, caller, method, request).catch((reason) => reason);
      if (!(answer instanceof ConnectError)) throw new Error(`${method} was not refused`);
      refusals!.push(wholeOf(answer));
      expect(answer.code, method).not.toBe(Code.Internal);
      return answer.code;
    },
    async send(path, request) {
      const answer = await fetch(house.url + path, { redirect: "manual", ...request });
      const headers = JSON.stringify([...answer.headers]);
      if (answer.status >= 400) refusals!.push(`${headers}\n${await answer.clone().text()}`);
      return answer;
    },

    secret(name, value) {
      secrets.remember(name, value);
      return value;
    },
    // Short enough for every code.
    guess: (name) => stage.secret(`a wrong ${name}`, `Wrong${randomBytes(6).toString("hex")}`),
    newPassword: (name = "a password") => stage.secret(name, `Pass-word-${randomBytes(6).toString("hex")}-1`),

    async newPerson(more = {}) {
      people += 1;
      const name = `person${people}`;
      const phone = `+4179${String(2_000_000 + people)}`;
      const password = stage.newPassword();
      const { userId } = await stage.ask("user", cast.owner, "AddHumanUser", {
        ...person(name, { phone: { phone, isVerified: true }, password: { password } }),
        ...more,
      });
      return { userId: userId as string, email: `${name}@example.com`, phone, password };
    },
    async mailed(email, act) {
      const seen = [...mails.mails];
      await act();
      const mail = await mailTo(mails, email, seen);
      return { code: stage.secret("a code in a mail", codeIn(mail)), mail };
    },
    async texted(phone, act) {
      const before = receiver.requests.length;
      await act();
      const digits = phone.slice(1);
      const isAbout = ({ body }: { body: string }) => body.includes(digits);
      const { body } = await until(`a text to ${phone}`, () => receiver.requests.slice(before).find(isAbout));
      const text = body.startsWith("{")
        ? JSON.parse(body).templateData.text
        : new URLSearchParams(body).get("Body");
      return stage.secret("a code in a text message", /^[A-Z0-9]{6,8}\b/.exec(text)![0]);
    },
    async reported(outcome, act) {
      const before = lines!.length;
      await act();
      await until(`a message that is ${outcome}`, () =>
        lines!.slice(before).some((line) => line.includes(`"outcome":"${outcome}"`)),
      );
    },
    async close() {
      await house.close();
      await Promise.all([mails.close(), receiver.close(), provider.close()]);
    },
  };
  for (const who of ["owner", "loginClient", "nobody"] as const)
    secrets.remember(`the token of ${who}`, cast[who].token);
  secrets.remember("the client's secret at the provider", client.secret);
  secrets.remember("the password at the provider", somebody.password);
  return stage;
}

/** All that a client is told by a refusal, over any protocol. */
function wholeOf({ code, rawMessage, metadata, details, cause }: ConnectError): string {
  const values = details.map((detail) => ("value" in detail ? Buffer.from(detail.value as Uint8Array) : ""));
  return [
    `${Code[code]} ${rawMessage}`,
    JSON.stringify([...metadata]),
    ...values.map((value) => value.toString("latin1")),
    JSON.stringify(cause instanceof Error ? cause.message : (cause ?? null)),
  ].join("\n");
}
