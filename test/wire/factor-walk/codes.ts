import type { JsonObject } from "@bufbuild/protobuf";
import { wrong } from "../checks/desk.ts";
import type { Caller, Stage } from "./stage.ts";

/** What a session's holder shows; a secret from then on. */
export function tokenOf({ secret }: Stage, answer: JsonObject): { sessionId: string; token: string } {
  const { sessionId = "", sessionToken } = answer as { sessionId?: string; sessionToken: string };
  return { sessionId, token: secret("a session token", sessionToken) };
}

/** Passwords set, changed, forgotten and found again: with codes in mails, in text messages, and given back. */
export async function walkPasswords(stage: Stage): Promise<void> {
  const { cast, ask, refused, guess, newPassword, secret } = stage;
  const { userId, email, phone, password } = await stage.newPerson();
  const anybody = cast.nobody;
  const reset = (medium: JsonObject) => ask("user", cast.owner, "PasswordReset", { userId, ...medium });
  const set = (verificationCode: string, chosen = newPassword()): [Caller, string, JsonObject] => [
    anybody,
    "SetPassword",
    { userId, newPassword: { password: chosen }, verificationCode },
  ];

  const urlTemplate = "https://app.example/reset?user={{.UserID}}&code={{.Code}}";
  const { code: byMail } = await stage.mailed(email, () => reset({ sendLink: { urlTemplate } }));
  await refused("user", ...set(guess("reset code")));
  await refused("user", ...set(secret("a reset code almost right", wrong(byMail))));
  await refused("user", ...set(byMail, secret("a password that is too weak", `weak${guess("password")}`)));
  await ask("user", ...set(byMail));
  await refused("user", ...set(byMail));

  const sendLink = { notificationType: "NOTIFICATION_TYPE_SMS" };
  await ask("user", ...set(await stage.texted(phone, () => reset({ sendLink }))));
  const { verificationCode } = await reset({ returnCode: {} });
  const last = newPassword();
  await ask("user", ...set(secret("a reset code given back", verificationCode as string), last));

  const change = (currentPassword: string, chosen: string) => ({
    userId,
    newPassword: { password: chosen },
    currentPassword,
  });
  await refused("user", cast.owner, "SetPassword", change(password, newPassword()));
  await refused("user", cast.owner, "SetPassword", change(last, newPassword().repeat(12)));
  await ask("user", cast.owner, "SetPassword", change(last, newPassword()));
  const checks = { user: { userId }, password: { password: last } };
  await refused("session", cast.loginClient, "CreateSession", { checks });
  await ask("user", cast.owner, "GetUserByID", { userId });
}

/** Addresses and numbers that are verified by a code. */
export async function walkContacts(stage: Stage): Promise<void> {
  const { cast, ask, refused, guess, secret } = stage;
  const { userId, phone: oldPhone } = await stage.newPerson();
  const [email, phone] = [`new-${userId}@example.com`, oldPhone.replace("+4179", "+4176")];
  const as = cast.owner;
  const sendCode = { urlTemplate: "https://app.example/verify?code={{.Code}}" };
  const first = await stage.mailed(email, () => ask("user", as, "SetEmail", { userId, email, sendCode }));
  const second = await stage.mailed(email, () => ask("user", as, "ResendEmailCode", { userId }));
  for (const verificationCode of [first.code, guess("e-mail code")])
    await refused("user", as, "VerifyEmail", { userId, verificationCode });
  await ask("user", as, "VerifyEmail", { userId, verificationCode: second.code });
  await refused("user", as, "VerifyEmail", { userId, verificationCode: second.code });
  const sent = await ask("user", as, "SendEmailCode", { userId, returnCode: {} });
  const givenBack = secret("an e-mail code given back", sent.verificationCode as string);
  await refused("user", as, "VerifyEmail", { userId, verificationCode: `${givenBack}x`.repeat(3) });
  await ask("user", as, "VerifyEmail", { userId, verificationCode: givenBack });

  const old = await stage.texted(phone, () => ask("user", as, "SetPhone", { userId, phone, sendCode: {} }));
  const code = await stage.texted(phone, () => ask("user", as, "ResendPhoneCode", { userId }));
  for (const verificationCode of [old, guess("phone code")])
    await refused("user", as, "VerifyPhone", { userId, verificationCode });
  await ask("user", as, "VerifyPhone", { userId, verificationCode: code });
  const again = await ask("user", as, "SetPhone", { userId, phone: oldPhone, returnCode: {} });
  secret("a phone code given back", again.verificationCode as string);
}

/** One-time codes by mail and text message, sent and given back. */
export async function walkOneTimeCodes(stage: Stage): Promise<void> {
  const { cast, ask, refused, guess, secret } = stage;
  const { userId, email, phone } = await stage.newPerson();
  for (const method of ["AddOTPSMS", "AddOTPEmail"]) await ask("user", cast.owner, method, { userId });
  const login = cast.loginClient;
  const urlTemplate = "https://app.example/otp?code={{.Code}}&session={{.SessionID}}";
  let sessionId = "";
  const challenge = async (challenges: JsonObject) => {
    const answer = await (sessionId === ""
      ? ask("session", login, "CreateSession", { checks: { user: { userId } }, challenges })
      : ask("session", login, "SetSession", { sessionId, challenges }));
    sessionId ||= tokenOf(stage, answer).sessionId;
    return (answer.challenges ?? {}) as Record<string, string>;
  };
  const check = (kind: string, code: string): [Caller, string, JsonObject] => [
    login,
    "SetSession",
    { sessionId, checks: { [kind]: { code } } },
  ];
  const { code: byMail } = await stage.mailed(email, () =>
    challenge({ otpEmail: { sendCode: { urlTemplate } } }),
  );
  const byText = await stage.texted(phone, () => challenge({ otpSms: {} }));
  for (const [kind, code] of [
    ["otpEmail", byMail],
    ["otpSms", byText],
  ] as const) {
    await refused("session", ...check(kind, guess("one-time code")));
    await refused("session", ...check(kind, secret("a one-time code almost right", wrong(code))));
    tokenOf(stage, await ask("session", ...check(kind, code)));
    await refused("session", ...check(kind, code));
  }
  const returned = await challenge({ otpSms: { returnCode: true }, otpEmail: { returnCode: {} } });
  for (const kind of ["otpSms", "otpEmail"] as const) {
    const code = secret(`an ${kind} code given back`, returned[kind]!);
    await refused("session", ...check(kind, code.repeat(30)));
    tokenOf(stage, await ask("session", ...check(kind, code)));
  }
  await ask("session", login, "GetSession", { sessionId });
}
