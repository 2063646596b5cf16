/**
 * What checks and challenges must do, in the fewest words: people with counters, sessions with factors and open codes.
 * It knows which answer is right because it wrote it down, not by looking at it.
 */
export type Factor = "password" | "totp" | "otpSms" | "otpEmail" | "recoveryCode";
export type OtpKind = "otpSms" | "otpEmail";

export const factors: readonly Factor[] = ["password", "totp", "otpSms", "otpEmail", "recoveryCode"];
export const otpKinds: readonly OtpKind[] = ["otpSms", "otpEmail"];

export type ModelPerson = {
  id: string;
  /** Whether the person has any factor beside the password. */
  hasFactors: boolean;
  locked: boolean;
  failures: Record<Factor, number>;
  /** Time step of the newest code that was accepted. */
  lastStep: number;
  recoveryCodes: Set<string>;
};

export type ModelSession = {
  id: string;
  person: ModelPerson | undefined;
  ended: boolean;
  proven: Set<Factor>;
  open: { [kind in OtpKind]?: { code: string; until: number } };
};

/** An answer, and what is known of it: the step a TOTP code was made for, whether a password is the right one. */
export type Answers = {
  password?: { right: boolean };
  /** `step` undefined: no step has it. */
  totp?: { step: number | undefined };
  otpSms?: { code: string };
  otpEmail?: { code: string };
  recoveryCode?: { code: string };
};

export type Limits = { password: number; otp: number };

const STEP_MS = 30_000;

/**
 * Applies one request, if it goes through; if an answer is wrong, what it costs.
 * @returns `ok`, or the slug of the refusal
 */
export function apply(
  limits: Limits,
  sessions: readonly ModelSession[],
  session: ModelSession,
  request: { person: ModelPerson | undefined; answers: Answers; challenges: readonly OtpKind[] },
  now: number,
): string {
  if (session.ended) return "session.terminated";
  if (request.person?.locked) return "session.user_not_active";
  if (request.person && session.person && request.person !== session.person) return "session.user_change";
  const person = session.person ?? request.person;
  const consequences: (() => void)[] = [];

  for (const factor of factors) {
    const answer = request.answers[factor];
    if (answer === undefined) continue;
    if (person === undefined) return withoutUser[factor];
    const verdict = judge(factor, request.answers, session, person, now);
    if (verdict.endsWith("not_ready") || verdict.endsWith("no_challenge")) return verdict;
    if (verdict !== "ok") {
      person.failures[factor] += 1;
      const limit = factor === "password" ? limits.password : limits.otp;
      if (limit > 0 && person.failures[factor] >= limit) lock(person, sessions);
      return verdict;
    }
    consequences.push(() => {
      person.failures[factor] = 0;
      session.proven.add(factor);
      if (factor === "totp") person.lastStep = request.answers.totp!.step!;
      if (factor === "recoveryCode") person.recoveryCodes.delete(request.answers.recoveryCode!.code);
      if (factor === "otpSms" || factor === "otpEmail") delete session.open[factor];
    });
  }

  for (const kind of request.challenges) {
    const name = kind === "otpSms" ? "otp_sms" : "otp_email";
    if (person === undefined) return `session.${name}_challenge_without_user`;
    if (!person.hasFactors) return `session.${name}_challenge_not_ready`;
  }
  session.person = person;
  for (const happen of consequences) happen();
  return "ok";
}

const withoutUser: Record<Factor, string> = {
  password: "session.password_without_user",
  totp: "session.totp_without_user",
  otpSms: "session.otp_without_user",
  otpEmail: "session.otp_without_user",
  recoveryCode: "session.recovery_code_without_user",
};

function judge(
  factor: Factor,
  { password, totp, ...codes }: Answers,
  session: ModelSession,
  person: ModelPerson,
  now: number,
): string {
  switch (factor) {
    case "password":
      return password!.right ? "ok" : "session.password_invalid";
    case "totp": {
      if (!person.hasFactors) return "session.totp_not_ready";
      const { step } = totp!;
      const near = step !== undefined && Math.abs(step - Math.floor(now / STEP_MS)) <= 1;
      return near && step > person.lastStep ? "ok" : "session.totp_invalid";
    }
    case "otpSms":
    case "otpEmail": {
      if (!person.hasFactors) return "session.otp_not_ready";
      const open = session.open[factor];
      if (open === undefined) return "session.otp_no_challenge";
      if (open.until < now) return "session.otp_expired";
      return open.code === codes[factor]!.code ? "ok" : "session.otp_invalid";
    }
    case "recoveryCode":
      if (!person.hasFactors) return "session.recovery_code_not_ready";
      return person.recoveryCodes.has(codes.recoveryCode!.code) ? "ok" : "session.recovery_code_invalid";
  }
}

export function lock(person: ModelPerson, sessions: readonly ModelSession[]): void {
  person.locked = true;
  for (const session of sessions) if (session.person === person) session.ended = true;
}

export function unlock(person: ModelPerson): void {
  person.locked = false;
  for (const factor of factors) person.failures[factor] = 0;
}
