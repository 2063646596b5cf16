import type { JsonObject } from "@bufbuild/protobuf";
import { Secret, type TOTP, URI } from "otpauth";
import { Authenticator, type Lies } from "../../support/authenticator.ts";
import { wrong } from "../checks/desk.ts";
import { linkIn } from "../delivery/post.ts";
import { tokenOf } from "./codes.ts";
import type { Caller, Stage } from "./stage.ts";

/** Passkeys and security keys: registered by oneself and by a link, and signed in with. */
export async function walkWebAuthn(stage: Stage): Promise<void> {
  const { cast, ask, refused, guess, secrets } = stage;
  const { userId, email } = await stage.newPerson();
  const newDevice = () => new Authenticator({ origin: "https://login.acme.example" });
  const device = newDevice();
  const remembered = (credential: JsonObject): JsonObject => {
    for (const [part, value] of Object.entries(credential.response as Record<string, unknown>)) {
      // Who is signed in, and with what kind of device, is no secret.
      if (part !== "clientDataJSON" && part !== "signature" && part !== "attestationObject") continue;
      secrets.remember(`the ${part} of a credential`, Buffer.from(value as string, "base64url"));
    }
    return credential;
  };
  const create = (options: unknown, lies?: Lies) => remembered(device.create(options, lies));
  const get = (options: unknown, lies?: Lies) => remembered(device.get(options, lies));

  const registrations = [
    ["RegisterPasskey", "VerifyPasskeyRegistration", "passkeyId", "passkeyName"],
    ["RegisterU2F", "VerifyU2FRegistration", "u2fId", "tokenName"],
  ] as const;
  const begin = async (at: 0 | 1, caller: Caller = cast.owner, more: JsonObject = {}) => {
    const [register, verify, id, name] = registrations[at];
    const answer = await ask("user", caller, register, { userId, ...more });
    const options = answer.publicKeyCredentialCreationOptions;
    return {
      options,
      completion: (publicKeyCredential: JsonObject): [Caller, string, JsonObject] => [
        caller,
        verify,
        { userId, [id]: answer[id]!, publicKeyCredential, [name]: "Phone" },
      ],
    };
  };
  const malformed = () => ({
    id: guess("credential id"),
    response: { clientDataJSON: guess("client data") },
  });
  for (const at of [0, 1] as const) {
    const foreign = await begin(at);
    await refused("user", ...foreign.completion(malformed()));
    const lies = { origin: "https://evil.example" };
    await refused("user", ...foreign.completion(create(foreign.options, lies)));
    const own = await begin(at);
    await ask("user", ...own.completion(create(own.options)));
  }

  const urlTemplate = "https://acme.example/passkey?id={{.CodeID}}&code={{.Code}}";
  const link = (medium: JsonObject) =>
    ask("user", cast.owner, "CreatePasskeyRegistrationLink", { userId, ...medium });
  const { mail } = await stage.mailed(email, () => link({ sendLink: { urlTemplate } }));
  const byMail = Object.fromEntries(new URL(linkIn(mail)).searchParams);
  const wrongCode = { userId, code: { ...byMail, code: guess("passkey code") } };
  await refused("user", cast.nobody, "RegisterPasskey", wrongCode);
  const invited = await begin(0, cast.nobody, { code: byMail });
  await ask("user", ...invited.completion(remembered(newDevice().create(invited.options))));
  await refused("user", cast.nobody, "RegisterPasskey", { userId, code: byMail });
  const { code: givenBack } = await link({ returnCode: {} });
  stage.secret("a passkey code given back", (givenBack as { code: string }).code);

  for (const level of ["REQUIRED", "DISCOURAGED"]) {
    const webAuthN = {
      domain: "acme.example",
      userVerificationRequirement: `USER_VERIFICATION_REQUIREMENT_${level}`,
    };
    const login = cast.loginClient;
    const challenge = async () => {
      const answer = await ask("session", login, "CreateSession", {
        checks: { user: { userId } },
        challenges: { webAuthN },
      });
      const { challenges } = answer as { challenges: { webAuthN: JsonObject } };
      const options = challenges.webAuthN.publicKeyCredentialRequestOptions;
      const { sessionId } = tokenOf(stage, answer);
      const check = (credentialAssertionData: JsonObject): [Caller, string, JsonObject] => [
        login,
        "SetSession",
        { sessionId, checks: { webAuthN: { credentialAssertionData } } },
      ];
      return { options, check };
    };
    for (const lies of [{ wrongSignature: true }, { origin: "https://evil.example" }]) {
      const { options, check } = await challenge();
      await refused("session", ...check(get(options, lies)));
    }
    const { options, check } = await challenge();
    await refused("session", ...check(malformed()));
    const again = await challenge();
    const assertion = get(again.options);
    tokenOf(stage, await ask("session", ...again.check(assertion)));
    await refused("session", ...again.check(assertion));
    await refused("session", ...check(get(options, { wrongSignature: true })));
  }
  await ask("user", cast.owner, "ListPasskeys", { userId });
  await ask("user", cast.owner, "ListAuthenticationFactors", { userId });
}

/** Authenticator apps, set up here or brought along, and recovery codes. */
export async function walkApps(stage: Stage): Promise<void> {
  const { cast, ask, refused, guess, secret } = stage;
  const { userId } = await stage.newPerson();
  const login = cast.loginClient;
  const shown = (app: TOTP, steps = 0) =>
    secret("what an app shows", app.generate({ timestamp: Date.now() + steps * 30_000 }));
  const signIn = async (id: string) =>
    tokenOf(stage, await ask("session", login, "CreateSession", { checks: { user: { userId: id } } }))
      .sessionId;
  const check = (sessionId: string, factor: string, code: string): [Caller, string, JsonObject] => [
    login,
    "SetSession",
    { sessionId, checks: { [factor]: { code } } },
  ];

  const given = await ask("user", cast.owner, "RegisterTOTP", { userId });
  const app = URI.parse(given.uri as string) as TOTP;
  rememberSeed(stage, app.secret);
  secret("the address of a QR code", given.uri as string);
  const code = shown(app);
  for (const nonsense of [guess("app code"), secret("a code almost right", wrong(code))])
    await refused("user", cast.owner, "VerifyTOTPRegistration", { userId, code: nonsense });
  await ask("user", cast.owner, "VerifyTOTPRegistration", { userId, code });
  const sessionId = await signIn(userId);
  // Used up already, wrong, and no code at all.
  for (const nonsense of [code, secret("a code almost right", wrong(shown(app, 1))), guess("app code")])
    await refused("session", ...check(sessionId, "totp", nonsense));
  tokenOf(stage, await ask("session", ...check(sessionId, "totp", shown(app, 1))));

  const own = new Secret({ size: 20 });
  rememberSeed(stage, own);
  await stage.newPerson({ totpSecret: own.base32 });
  const human = {
    profile: { givenName: "No", familyName: "Seed" },
    email: { email: "seedless@example.com" },
  };
  for (const totpSecret of [`${guess("seed")}!`, secret("a seed that is too short", "JBSWY3DPEB")])
    await refused("user", cast.owner, "AddHumanUser", { ...human, totpSecret });

  const { recoveryCodes } = await ask("user", cast.owner, "GenerateRecoveryCodes", { userId, count: 3 });
  for (const recoveryCode of recoveryCodes as string[]) {
    secret("a recovery code", recoveryCode);
    secret("a recovery code without its dash", recoveryCode.replace("-", ""));
  }
  const [used] = recoveryCodes as [string];
  await refused("session", ...check(sessionId, "recoveryCode", guess("recovery code")));
  await refused("session", ...check(sessionId, "recoveryCode", secret("a code almost right", wrong(used))));
  tokenOf(stage, await ask("session", ...check(sessionId, "recoveryCode", used)));
  await refused("session", ...check(sessionId, "recoveryCode", used));
  await refused("user", cast.owner, "GenerateRecoveryCodes", { userId, count: 10 });
  await ask("session", login, "GetSession", { sessionId });
}

function rememberSeed({ secrets }: Stage, { base32, bytes }: Secret): void {
  secrets.remember("a seed", base32);
  secrets.remember("the bytes of a seed", bytes);
}
