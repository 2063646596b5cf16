import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { UserVerification } from "../../src/storage/tables.ts";
import { createUser } from "../../src/user/create-user.ts";
import { type CredentialKind, kindAskedFor } from "../../src/user/web-authn/credentials.ts";
import { registerCredential } from "../../src/user/web-authn/register-credential.ts";
import { removeCredential } from "../../src/user/web-authn/remove-credential.ts";
import { verifyCredentialRegistration } from "../../src/user/web-authn/verify-registration.ts";
import { openRooms, outcomeOf, pass, type Rooms, sessionOf, set } from "../session/rooms.ts";
import { Authenticator } from "../support/authenticator.ts";
import { engines } from "../support/databases.ts";
import { changeSessionSettings, defaultOrganization, human, owner } from "../user/house.ts";

/** One act of a person with two sessions and a bag of authenticators. `nth` counts what is there, around and around. */
type Step =
  | { do: "register"; kind: CredentialKind }
  | { do: "remove"; nth: number }
  | { do: "challenge"; session: number; level: UserVerification }
  | { do: "answer"; session: number; challenge: number; nth: number }
  | { do: "wait"; seconds: number };

const session = fc.constantFrom(0, 1);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("register"), kind: fc.constantFrom("passkey", "u2f") }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("remove"), nth: fc.nat(9) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("challenge"),
        session,
        level: fc.constantFrom("required", "preferred", "discouraged"),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant("answer"), session, challenge: fc.nat(2), nth: fc.nat(9) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("wait"), seconds: fc.constantFrom(1, 119, 121, 299, 301) }),
    },
  ) as fc.Arbitrary<Step>,
  { minLength: 5, maxLength: 25 },
);

type Credential = {
  id: string;
  kind: CredentialKind;
  device: Authenticator;
  credentialId: string;
  removed: boolean;
};
/** What was asked, once; of the sessions each knows which of them is the open one. */
type Asked = { level: UserVerification; options: object; until: number; allowed: readonly Credential[] };

const RP_ID = "acme.example";
const timeouts = { required: 300_000, preferred: 300_000, discouraged: 120_000 };

describe.each(engines)("any order of registering, asking and answering, on %s", (engine) => {
  let rooms: Rooms;
  beforeAll(async () => {
    rooms = await openRooms(engine);
    // The sessions are to see what becomes of the credentials.
    await changeSessionSettings(rooms, { onFactorRemoval: "none" });
  });
  afterAll(() => rooms.close());

  let people = 0;
  const newPerson = async () => {
    people += 1;
    const id = `model-${people}`;
    await createUser(rooms, owner, { organizationId: await defaultOrganization(rooms), human: human(id) });
    return id;
  };

  async function register(userId: string, kind: CredentialKind): Promise<Credential> {
    const device = new Authenticator({ origin: `https://${RP_ID}` });
    const { id, options } = await registerCredential(rooms, owner, { userId, kind, rpId: RP_ID });
    const credential = device.create(options);
    await verifyCredentialRegistration(rooms, owner, { userId, kind, id, credential, name: "x" });
    return { id, kind, device, credentialId: device.credentialIds[0]!, removed: false };
  }

  test("ends as the rules say: what is open, in time, asked for and one's own counts, and counts once", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (walk) => {
        const userId = await newPerson();
        const sessionIds = [
          (await sessionOf({ id: userId }, rooms)).sessionId,
          (await sessionOf({ id: userId }, rooms)).sessionId,
        ];
        const credentials: Credential[] = [await register(userId, "passkey"), await register(userId, "u2f")];
        const asked: Asked[] = [];
        const open: (Asked | undefined)[] = [undefined, undefined];
        const proven = [false, false];
        for (const step of walk) {
          switch (step.do) {
            case "wait":
              pass(rooms, step.seconds);
              break;
            case "register":
              credentials.push(await register(userId, step.kind));
              break;
            case "remove": {
              const credential = credentials[step.nth % credentials.length]!;
              const { id, kind, removed } = credential;
              const outcome = await outcomeOf(removeCredential(rooms, owner, { userId, kind, id }));
              expect(outcome).toBe(removed ? "user.web_auth_n_not_found" : "ok");
              credential.removed = true;
              break;
            }
            case "challenge": {
              const { level } = step;
              const allowed = credentials.filter(
                ({ kind, removed }) => !removed && kind === kindAskedFor(level),
              );
              const challenges = { webAuthN: { domain: RP_ID, userVerification: level } };
              const changing = set(rooms, sessionIds[step.session]!, {}, challenges);
              if (allowed.length === 0) {
                expect(await outcomeOf(changing)).toBe("session.web_auth_n_begin_failed");
                break;
              }
              const options = (await changing).challenges.webAuthN!;
              const until = rooms.now.getTime() + timeouts[level];
              open[step.session] = { level, options, until, allowed };
              asked.push(open[step.session]!);
              break;
            }
            case "answer": {
              const signed = asked.at(-1 - step.challenge);
              if (signed === undefined) break;
              const credential = credentials[step.nth % credentials.length]!;
              const { publicKey } = signed.options as { publicKey: object };
              const json = credential.device.get({ publicKey: { ...publicKey, allowCredentials: [] } });
              const expected = outcome(open[step.session], signed, credential, rooms.now.getTime());
              const answering = set(rooms, sessionIds[step.session]!, { webAuthN: json });
              expect(await outcomeOf(answering)).toBe(expected);
              if (expected === "ok") {
                open[step.session] = undefined;
                proven[step.session] = true;
              }
              break;
            }
          }
        }
        for (const [index, sessionId] of sessionIds.entries()) {
          const { session: row } = (await rooms.sessions.find(sessionId))!;
          expect(row.factors.webAuthN !== undefined).toBe(proven[index]);
          expect(row.challenges.webAuthN !== undefined).toBe(open[index] !== undefined);
        }
      }),
      { numRuns: 20 },
    );
  });
});

/** What an honest answer with this credential to `signed` comes to where `open` is waited for. */
function outcome(open: Asked | undefined, signed: Asked, credential: Credential, now: number): string {
  if (open === undefined) return "session.web_auth_n_no_challenge";
  if (open.until < now) return "session.web_auth_n_expired";
  if (credential.removed || credential.kind !== kindAskedFor(open.level)) {
    return "session.web_auth_n_credential_unknown";
  }
  if (signed !== open || !open.allowed.includes(credential)) return "session.web_auth_n_invalid";
  return "ok";
}
