import type { JsonObject } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { createClientFor } from "@zitadel/client";
import { createServerTransport } from "@zitadel/client/node";
import { type TOTP, URI } from "otpauth";
import { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import type { SessionClient } from "../../support/clients.ts";
import type { Engine } from "../../support/databases.ts";
import { type House, startHouse, streamOf, userCheck } from "../../support/fixtures.ts";
import { asking as askingOlder } from "../settings/wire.ts";
import { newPerson } from "../users/factor-callers.ts";
import { asking, type Call } from "../users/wire.ts";

/** A house whose application clock stands still until it is told to go on, and where nobody waits for an answer. */
export type Desk = House & {
  /** What the application's clock shows. */
  now: Date;
  /** How long each answer would have been held back, in milliseconds. */
  heldBack: number[];
  /** Sessions as the login client. */
  login: SessionClient;
  /** The same by our own contract: recovery codes are newer than the client others generated. */
  newest: NewestClient;
  /** Users as the owner of the instance. */
  ask: Call;
};

export async function startDesk(engine: Engine): Promise<Desk> {
  const clock = () => desk.now;
  const delay = async (milliseconds: number) => void desk.heldBack.push(milliseconds);
  const house = await startHouse(engine, { server: { clock, delay } });
  const { cast } = house;
  // Its own `url` moves with the server, so it cannot be copied.
  const desk: Desk = Object.assign(Object.create(house) as House, {
    now: new Date(),
    heldBack: [],
    login: house.as(cast.loginClient),
    newest: newestClient(house, cast.loginClient),
    ask: ((method, request, headers) => asking(house, cast.owner)(method, request, headers)) as Call,
  });
  return desk;
}

type NewestClient = Client<typeof SessionService>;

function newestClient(house: House, { token }: { token: string }): NewestClient {
  const clients = new Map<string, NewestClient>();
  const current = () => {
    // Asked anew for every call, since the server may have moved.
    const { url } = house;
    const client =
      clients.get(url) ?? createClientFor(SessionService)(createServerTransport(token, { baseUrl: url }));
    clients.set(url, client);
    return client;
  };
  return new Proxy({} as NewestClient, { get: (_, method) => current()[method as keyof NewestClient] });
}

export function pass(desk: Desk, seconds: number): void {
  desk.now = new Date(desk.now.getTime() + seconds * 1_000);
}

/** Wrong answers of one factor in a row that lock; 0: never. */
export async function lockAfter(desk: { url: string }, owner: { token: string }, maxOtpAttempts: number) {
  const ask = askingOlder(desk, "admin", owner);
  await ask("UpdateLockoutPolicy", { maxPasswordAttempts: 0, maxOtpAttempts });
}

/** Somebody with every factor that is typed in, set up as applications do it. */
export type Customer = { id: string; app: TOTP; recoveryCodes: string[] };

export async function newCustomer(desk: Desk): Promise<Customer> {
  const { ask } = desk;
  const userId = await newPerson(desk);
  const app = await enrolled(desk, userId);
  await ask("AddOTPSMS", { userId });
  await ask("AddOTPEmail", { userId });
  const { recoveryCodes } = await ask("GenerateRecoveryCodes", { userId, count: 10 });
  // So that the code of the set-up is not the one the app shows.
  pass(desk, 90);
  return { id: userId, app, recoveryCodes: recoveryCodes as string[] };
}

/** Scans the QR code with an app and types in what it shows. */
export async function enrolled(desk: Desk, userId: string, call: Call = desk.ask): Promise<TOTP> {
  const { uri } = await call("RegisterTOTP", { userId });
  const app = URI.parse(uri as string) as TOTP;
  await call("VerifyTOTPRegistration", { userId, code: shown(desk, app) });
  return app;
}

/** What the app shows now, or as many steps of 30 s from now. */
export function shown(desk: Desk, app: TOTP, steps = 0): string {
  return app.generate({ timestamp: desk.now.getTime() + steps * 30_000 });
}

/** A code of the same form that is another one. */
export const wrong = (code: string): string => code.replace(/.$/, (last) => (last === "7" ? "8" : "7"));

export async function newSession({ login }: Desk, user: { id: string }) {
  return login.createSession({ checks: userCheck(user) });
}

export type OtpKind = "otpSms" | "otpEmail";

/** The challenge of a code that comes back in the answer. */
export const returned = {
  otpSms: { otpSms: { returnCode: true } },
  otpEmail: { otpEmail: { deliveryType: { case: "returnCode" as const, value: {} } } },
};

/** Asks for a code. @returns it */
export async function codeBy({ login }: Desk, kind: OtpKind, sessionId: string): Promise<string> {
  const { challenges } = await login.setSession({ sessionId, challenges: returned[kind] });
  return challenges![kind]!;
}

/** The factors a session shows, by their names in the contract's JSON. */
export async function factorsOf({ newest }: Desk, sessionId: string): Promise<string[]> {
  const { session } = await newest.getSession({ sessionId });
  const { $typeName: _, ...factors } = session!.factors ?? {};
  return Object.entries(factors)
    .filter(([, factor]) => factor !== undefined)
    .map(([name]) => name)
    .sort();
}

/** How often each event happened to a user. */
export function eventCounts(desk: House, { id }: { id: string }): Promise<Record<string, number>> {
  return desk.operate(async (database) => {
    const counts: Record<string, number> = {};
    for (const { type } of await streamOf(database, "user", id)) counts[type] = (counts[type] ?? 0) + 1;
    return counts;
  });
}

export const stateOf = async ({ ask }: Desk, { id: userId }: { id: string }): Promise<string> =>
  ((await ask("GetUserByID", { userId })).user as JsonObject).state as string;
