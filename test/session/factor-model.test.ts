import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSession } from "../../src/session/create-session.ts";
import { createUser } from "../../src/user/create-user.ts";
import { changeUserState } from "../../src/user/user-state.ts";
import { changeLockout, defaultOrganization, human, owner, PASSWORD } from "../user/house.ts";
import {
  type Answers,
  apply,
  factors,
  type Limits,
  type ModelPerson,
  type ModelSession,
  type OtpKind,
  otpKinds,
  unlock,
} from "./factor-model.ts";
import { addPerson, knownPassword, openRooms, type Person, pass, type Rooms, set, wrong } from "./rooms.ts";

/** How somebody answers: rightly, with something that was right before, with another's answer, or at random. */
type Manner = "right" | "early" | "late" | "used" | "another's" | "random";
type Asked = { [factor in keyof Answers]?: Manner };

type Request = { person: number | undefined; answers: Asked; challenges: OtpKind[] };
type Step =
  | ({ do: "create" } & Request)
  | ({ do: "set"; nth: number } & Request)
  | { do: "pass"; seconds: number }
  | { do: "unlock"; person: number };

const manner = fc.constantFrom<Manner>(
  "right",
  "right",
  "right",
  "early",
  "late",
  "used",
  "another's",
  "random",
);
/** There or not, so many times in ten. */
const maybe = <T>(tenths: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 10 - tenths, arbitrary: fc.constant(undefined) }, { weight: tenths, arbitrary });
const asked = fc
  .record({
    // Rarely, since each costs a hash.
    password: maybe(1, fc.constantFrom<Manner>("right", "random")),
    totp: maybe(3, manner),
    otpSms: maybe(3, manner),
    otpEmail: maybe(3, manner),
    recoveryCode: maybe(3, manner),
  })
  .map((answers) => Object.fromEntries(Object.entries(answers).filter(([, value]) => value)) as Asked);
const person = maybe(6, fc.constantFrom(0, 0, 0, 1, 2));
const challenges = fc.oneof(
  { weight: 1, arbitrary: fc.constant<OtpKind[]>([]) },
  { weight: 1, arbitrary: fc.subarray([...otpKinds]) },
);
const seconds = fc.constantFrom(1, 29, 30, 61, 299, 301);

const anything: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("create" as const), person, answers: asked, challenges }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("set" as const),
      nth: fc.nat(3),
      person,
      answers: asked,
      challenges,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("pass" as const), seconds }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unlock" as const), person: fc.nat(1) }) },
);

/** One person's answers, most of them wrong, one factor at a time. */
const mistaken = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Manner>("right") },
  { weight: 2, arbitrary: fc.constantFrom<Manner>("early", "late", "used", "another's", "random") },
);
const codeFactors = factors.filter((factor) => factor !== "password");
const oneAnswer = fc
  .tuple(fc.constantFrom(...codeFactors), mistaken)
  .map(([factor, how]) => ({ [factor]: how }) as Asked);
const nothing = fc.constant<Asked>({});
const bothKinds = fc.constant<OtpKind[]>([...otpKinds]);

const answering: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("set" as const),
      nth: fc.nat(1),
      person: fc.constant(undefined),
      answers: oneAnswer,
      challenges: fc.constant<OtpKind[]>([]),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("create" as const),
      person: fc.constant(0),
      answers: nothing,
      challenges: bothKinds,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), seconds }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unlock" as const), person: fc.constant(0) }) },
);

const limits = fc.constantFrom<Limits>(
  { password: 0, otp: 0 },
  { password: 2, otp: 2 },
  { password: 1, otp: 3 },
  { password: 3, otp: 1 },
);

/** One run: the people and sessions that are really there, and what the model makes of them. */
type World = {
  limits: Limits;
  people: { real: Person | undefined; model: ModelPerson }[];
  sessions: ModelSession[];
  /** Whatever was right once, for those who try it again. */
  used: { [factor in keyof Answers]: string[] };
};

describe("any sequence of checks and challenges", () => {
  let rooms: Rooms;
  let organizationId: string;
  let runs = 0;
  beforeAll(async () => {
    rooms = await openRooms("pglite");
    organizationId = await defaultOrganization(rooms);
  });
  afterAll(() => rooms.close());

  it("adds no factor that was not proven, in whatever order they come", async () => {
    await fc.assert(
      fc.asyncProperty(
        limits,
        fc.array(anything, { minLength: 8, maxLength: 20, size: "max" }),
        async (limit, steps) => {
          const world = await newWorld(limit);
          for (const step of steps) await take(world, step);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("counts each failure once, and none that is none", async () => {
    await fc.assert(
      fc.asyncProperty(
        limits,
        fc.array(answering, { minLength: 10, maxLength: 25, size: "max" }),
        async (limit, steps) => {
          const world = await newWorld(limit);
          for (const who of [0, 0]) {
            await take(world, { do: "create", person: who, answers: {}, challenges: ["otpSms", "otpEmail"] });
          }
          for (const step of steps) await take(world, step);
        },
      ),
      { numRuns: 20 },
    );
  });

  async function newWorld(limit: Limits): Promise<World> {
    runs += 1;
    await changeLockout(rooms, limit.password, limit.otp);
    const real = [await addPerson(rooms, `ada-${runs}`), await addPerson(rooms, `leo-${runs}`)];
    const { userId } = await createUser(rooms, owner, {
      organizationId,
      human: human(`bob-${runs}`, { password: await knownPassword(rooms) }),
    });
    const model = (id: string, known?: Person): ModelPerson => ({
      id,
      hasFactors: known !== undefined,
      locked: false,
      failures: { password: 0, totp: 0, otpSms: 0, otpEmail: 0, recoveryCode: 0 },
      lastStep: known ? -1 : 0,
      recoveryCodes: new Set(known?.recoveryCodes),
    });
    const people = real.map((known) => ({ real: known, model: model(known.id, known) }));
    for (const { model: each } of people) each.lastStep = (await rooms.users.find(each.id))!.totp!.lastStep!;
    return {
      limits: limit,
      people: [...people, { real: undefined, model: model(userId) }],
      sessions: [],
      used: { totp: [], otpSms: [], otpEmail: [], recoveryCode: [] },
    };
  }

  async function take(world: World, step: Step): Promise<void> {
    switch (step.do) {
      case "pass":
        return pass(rooms, step.seconds);
      case "unlock": {
        const { model } = world.people[step.person]!;
        if (!model.locked) return;
        await changeUserState(rooms, owner, "unlock", model.id);
        return unlock(model);
      }
      default:
        return request(world, step);
    }
  }

  async function request(world: World, step: Extract<Step, Request>): Promise<void> {
    const isNew = step.do === "create";
    const session: ModelSession | undefined = isNew
      ? { id: "", person: undefined, ended: false, proven: new Set(), open: {} }
      : world.sessions.at(-1 - step.nth);
    if (session === undefined) return;
    const named = step.person === undefined ? undefined : world.people[step.person]!;
    const about = world.people.find(({ model }) => model === session.person) ?? named;
    const { answers, checks } = answersOf(world, session, about?.real, step.answers);
    const user = named ? { user: { userId: named.model.id } } : {};
    const wanted = Object.fromEntries(step.challenges.map((kind) => [kind, { returnCode: true }]));

    const now = rooms.now.getTime();
    const expected = apply(
      world.limits,
      world.sessions,
      session,
      { person: named?.model, answers, challenges: step.challenges },
      now,
    );
    const sent = isNew
      ? createSession(rooms, owner, { checks: { ...user, ...checks }, challenges: wanted, metadata: {} })
      : set(rooms, session.id, { ...user, ...checks }, wanted);
    const outcome = await sent.then(
      (answer) => ({ slug: "ok", ...answer }),
      (error: { slug?: string }) => ({ slug: error.slug ?? String(error), challenges: {} }),
    );
    expect(outcome.slug).toBe(expected);
    if (expected === "ok") {
      if ("sessionId" in outcome) session.id = outcome.sessionId as string;
      if (isNew) world.sessions.push(session);
      for (const [factor, answer] of Object.entries(checks))
        world.used[factor as keyof Answers]?.push(answer);
      for (const kind of step.challenges) {
        const code = (outcome.challenges as Record<OtpKind, string>)[kind];
        session.open[kind] = { code, until: now + 300_000 };
      }
    }
    await compare(world, session);
  }

  /** What is sent, and what the model is told about it. */
  function answersOf(
    { people, sessions, used }: World,
    session: ModelSession,
    about: Person | undefined,
    manners: Asked,
  ): { answers: Answers; checks: Record<string, string> } {
    const answers: Answers = {};
    const checks: Record<string, string> = {};
    const last = (factor: keyof Answers) => used[factor]?.at(-1);
    const other = people.find(({ real }) => real !== undefined && real !== about)!.real!;
    for (const [factor, how] of Object.entries(manners) as [keyof Answers, Manner][]) {
      if (factor === "password") {
        answers.password = { right: how === "right" };
        checks.password = how === "right" ? PASSWORD : "Wrong-Horse-1";
      } else if (factor === "totp") {
        const code = totpCode(about ?? other, other, how, last("totp"));
        answers.totp = { step: stepOf(about ?? other, code) };
        checks.totp = code;
      } else if (factor === "recoveryCode") {
        const model = people.find(({ real }) => real === about)?.model;
        const right = [...(model?.recoveryCodes ?? [])][0] ?? "00000-00000";
        const code = {
          "another's": other.recoveryCodes.at(-1)!,
          used: last(factor) ?? wrong(right),
          random: wrong(right),
        };
        checks.recoveryCode = how in code ? code[how as keyof typeof code] : right;
        answers.recoveryCode = { code: checks.recoveryCode };
      } else {
        const right = session.open[factor]?.code ?? "12345678";
        const elsewhere = sessions.find((each) => each !== session && each.open[factor])?.open[factor]?.code;
        const code = {
          "another's": elsewhere ?? wrong(right),
          used: last(factor) ?? wrong(right),
          random: wrong(right),
        };
        checks[factor] = how in code ? code[how as keyof typeof code] : right;
        answers[factor] = { code: checks[factor]! };
      }
    }
    return { answers, checks };
  }

  function totpCode(about: Person, other: Person, how: Manner, last: string | undefined): string {
    const at = (steps: number) => ({ timestamp: rooms.now.getTime() + steps * 30_000 });
    switch (how) {
      case "early":
        return about.app.generate(at(1));
      case "late":
        return about.app.generate(at(-1));
      case "another's":
        return other.app.generate(at(0));
      case "used":
        return last ?? about.app.generate(at(-2));
      case "random":
        return wrong(about.app.generate(at(0)));
      default:
        return about.app.generate(at(0));
    }
  }

  /** The step an answer is of, as the app itself would tell; only those that could count. */
  function stepOf({ app }: Person, code: string): number | undefined {
    const delta = app.validate({ token: code, timestamp: rooms.now.getTime(), window: 2 });
    return delta === null ? undefined : Math.floor(rooms.now.getTime() / 30_000) + delta;
  }

  async function compare({ people, sessions }: World, touched: ModelSession): Promise<void> {
    for (const { model, real } of people) {
      const user = (await rooms.users.find(model.id))!;
      expect(user.status).toBe(model.locked ? "locked" : "active");
      const { totp = 0, otpSms = 0, otpEmail = 0, recoveryCode = 0 } = user.failedAttempts;
      const counted = { password: user.passwordFailedAttempts, totp, otpSms, otpEmail, recoveryCode };
      expect(counted).toEqual(model.failures);
      if (real === undefined) continue;
      expect(user.totp!.lastStep).toBe(model.lastStep);
      expect(user.recoveryCodes).toHaveLength(model.recoveryCodes.size);
    }
    if (!sessions.includes(touched)) return;
    const { session } = (await rooms.sessions.find(touched.id))!;
    const { user, ...proven } = session.factors;
    expect(Object.keys(proven).sort()).toEqual([...touched.proven].sort());
    expect(session.userId).toBe(touched.person?.id ?? null);
    expect(user === undefined).toBe(touched.person === undefined);
    expect(Object.keys(session.challenges).sort()).toEqual(Object.keys(touched.open).sort());
  }
});
