import { type TOTP, URI } from "otpauth";
import { pino } from "pino";
import { CodeGenerators } from "../../src/notification/code-generators.ts";
import { Notifications } from "../../src/notification/notifications.ts";
import { type FallbackProviders, Providers } from "../../src/notification/providers.ts";
import type { ChallengeRequests } from "../../src/session/challenges/run-challenges.ts";
import type { Checks } from "../../src/session/checks/run-checks.ts";
import { createSession } from "../../src/session/create-session.ts";
import type { SessionDependencies } from "../../src/session/dependencies.ts";
import { SessionTokens } from "../../src/session/session-token.ts";
import { SessionUses } from "../../src/session/session-uses.ts";
import { setSession } from "../../src/session/set-session.ts";
import { createUser } from "../../src/user/create-user.ts";
import type { NewPassword } from "../../src/user/new-password.ts";
import { addOtpFactor } from "../../src/user/otp-factors.ts";
import { generateRecoveryCodes } from "../../src/user/recovery-codes.ts";
import { registerTotp, verifyTotpRegistration } from "../../src/user/totp.ts";
import type { Engine } from "../support/databases.ts";
import { defaultOrganization, type House, human, openHouse, owner, PASSWORD } from "../user/house.ts";

/** The session room and everything below it on a database of their own, and a clock that is set by hand. */
export type Rooms = SessionDependencies &
  House & {
    /** What the application's clock shows; the database has its own. */
    now: Date;
    /** How long each answer was held back, in milliseconds. */
    heldBack: number[];
  };

const webhook = { id: "hook", description: "", endpoint: "https://hook.example.com", signingKey: "key" };
/** Enough for messages to be stored. Nobody sends them here. */
const somebodyWhoSends: FallbackProviders = {
  sms: { type: "http", webhook },
  email: { type: "http", webhook },
};

/** @param options.providers whether there is a way out for messages */
export async function openRooms(engine: Engine, { providers = false } = {}): Promise<Rooms> {
  const house = await openHouse(engine);
  const { organizations, encryptionKey } = house;
  const clock = () => rooms.now;
  const fallbacks = providers ? somebodyWhoSends : {};
  const sending = new Providers({ organizations, encryptionKey, fallbacks });
  const rooms: Rooms = {
    ...house,
    notifications: new Notifications({ providers: sending, encryptionKey, clock }),
    codeGenerators: new CodeGenerators({ providers: sending, logger: pino({ level: "silent" }) }),
    tokens: new SessionTokens(new Uint8Array(32)),
    uses: new SessionUses(house),
    instanceId: "instance",
    webAuthNCloneWarning: "refuse",
    writeEndings: async () => {},
    setSessionProof: "none",
    now: new Date("2026-07-10T09:00:00Z"),
    heldBack: [],
    clock,
    delay: async (milliseconds) => void rooms.heldBack.push(milliseconds),
  };
  return rooms;
}

/** Lets the application's clock run. */
export function pass(rooms: Rooms, seconds: number): void {
  rooms.now = new Date(rooms.now.getTime() + seconds * 1_000);
}

/** Somebody with every factor that is typed in. */
export type Person = { id: string; app: TOTP; recoveryCodes: string[] };

export const PHONE = "+41791234567";

export async function addPerson(rooms: Rooms, name: string): Promise<Person> {
  const organizationId = await defaultOrganization(rooms);
  const phone = { text: PHONE, verification: "verified" as const };
  const password = await knownPassword(rooms);
  await createUser(rooms, owner, { organizationId, human: human(name, { phone, password }) });
  const app = URI.parse((await registerTotp(rooms, owner, name)).uri) as TOTP;
  await verifyTotpRegistration(rooms, owner, { userId: name, code: codeOf(rooms, app) });
  await addOtpFactor(rooms, owner, name, "otpSms");
  await addOtpFactor(rooms, owner, name, "otpEmail");
  const { codes } = await generateRecoveryCodes(rooms, owner, { userId: name, count: 10 });
  // So that the code of the set-up is not the next one.
  pass(rooms, 60);
  return { id: name, app, recoveryCodes: codes };
}

let hash: Promise<string> | undefined;

/** The usual password, hashed once for everybody. */
export async function knownPassword({ passwords }: Rooms): Promise<NewPassword> {
  hash ??= passwords.hash(PASSWORD);
  return { hash: await hash, changeRequired: false };
}

/** What the app shows now, or as many steps from now. */
export function codeOf(rooms: Rooms, app: TOTP, steps = 0): string {
  return app.generate({ timestamp: rooms.now.getTime() + steps * 30_000 });
}

/** A code of the same form that is another one. */
export const wrong = (code: string): string => code.replace(/.$/, (last) => (last === "7" ? "8" : "7"));

export const sessionOf = ({ id }: { id: string }, rooms: Rooms) =>
  createSession(rooms, owner, { checks: { user: { userId: id } }, metadata: {}, challenges: {} });

/** SetSession, as the owner of the instance. */
export const set = (rooms: Rooms, sessionId: string, checks: Checks, challenges: ChallengeRequests = {}) =>
  setSession(rooms, owner, { sessionId, token: "", checks, challenges, metadata: {} });

/** `ok`, or the slug of the refusal. */
export function outcomeOf(command: Promise<unknown>): Promise<string> {
  return command.then(
    () => "ok",
    (error: { slug?: string }) => error.slug ?? String(error),
  );
}
