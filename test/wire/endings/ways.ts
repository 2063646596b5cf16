import type { JsonObject } from "@bufbuild/protobuf";
import { TOTP } from "otpauth";
import { SessionControlService } from "../../../src/gen/gatehouse/session/v1/session_control_service_pb.js";
import { AdminService } from "../../../src/gen/zitadel/admin/v1/admin_service_pb.js";
import { OrganizationService } from "../../../src/gen/zitadel/org/v2/org_service_pb.js";
import { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { UserService } from "../../../src/gen/zitadel/user/v2/user_service_pb.js";
import { Authenticator } from "../../support/authenticator.ts";
import { PASSWORD, WRONG_PASSWORD } from "../../support/fixtures.ts";
import type { Person, Signed, Stage } from "./stage.ts";

/** One way for a session to end. */
export type Way = {
  reason: string;
  name: string;
  /** Signs somebody in, or what the way needs; by default a new person with a password. */
  arrange?(stage: Stage): Promise<Signed>;
  /** Ends it. @returns who did, if not the owner; null: time */
  act(stage: Stage, victim: Signed): Promise<string | null | undefined>;
};

const { method: session } = SessionService;
const { method: user } = UserService;
const { method: control } = SessionControlService;

const SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const verifiedPhone = { phone: { phone: "+41446681800", isVerified: true } };

const ownersAct =
  (method: keyof typeof user, more: JsonObject = {}): Way["act"] =>
  async (stage, { person }) => {
    await stage.owner(user[method], { userId: person.id, ...more });
    return undefined;
  };

/** Signed in with the password and one factor more, which the person then has. */
async function withSecondFactor(
  stage: Stage,
  person: Person,
  challenges: JsonObject,
  answer: (challenges: JsonObject) => JsonObject,
): Promise<Signed> {
  const begun = await stage.owner(session.createSession, { checks: stage.password(person), challenges });
  const checks = answer(begun.challenges as JsonObject);
  const { sessionToken } = await stage.owner(session.setSession, {
    sessionId: begun.sessionId as string,
    checks,
  });
  return { id: begun.sessionId as string, token: sessionToken as string, person };
}

export const ways: readonly Way[] = [
  {
    reason: "TERMINATED",
    name: "DeleteSession on one's own",
    act: async (stage, { id, token, person }) => {
      await stage.as(token)(session.deleteSession, { sessionId: id });
      return person.id;
    },
  },
  {
    reason: "TERMINATED",
    name: "DeleteSession with its token",
    act: async (stage, { id, token }) => {
      await stage.as(stage.cast.nobody.token)(session.deleteSession, { sessionId: id, sessionToken: token });
      return stage.cast.nobody.id;
    },
  },
  {
    reason: "TERMINATED",
    name: "DeleteSession by permission",
    act: async (stage, { id }) => {
      await stage.owner(session.deleteSession, { sessionId: id });
      return undefined;
    },
  },
  {
    reason: "EXPIRED",
    name: "its lifetime",
    arrange: async (stage) => stage.signedIn(await stage.newPerson(), { lifetime: "0.7s" }),
    act: async (stage, { id }) => {
      await stage.past(id);
      return null;
    },
  },
  {
    reason: "EXPIRED",
    name: "its idle lifetime",
    act: async (stage, { id }) => {
      await stage.owner(control.setIdleLifetime, { sessionId: id, idleLifetime: "60s" });
      await stage.unusedFor(id, 61);
      return null;
    },
  },
  { reason: "USER_LOCKED", name: "LockUser", act: ownersAct("lockUser") },
  {
    reason: "USER_LOCKED",
    name: "too many wrong passwords",
    arrange: async (stage) => stage.signedIn(await stage.newPerson({ organizationId: stage.cast.strict.id })),
    act: async (stage, { person }) => {
      for (let guess = 0; guess < 2; guess++) {
        const checks = stage.password(person, WRONG_PASSWORD);
        await stage.refused(stage.owner(session.createSession, { checks }));
      }
      return undefined;
    },
  },
  { reason: "USER_DEACTIVATED", name: "DeactivateUser", act: ownersAct("deactivateUser") },
  { reason: "USER_DELETED", name: "DeleteUser", act: ownersAct("deleteUser") },
  {
    reason: "PASSWORD_CHANGED",
    name: "SetPassword by permission",
    act: ownersAct("setPassword", { newPassword: { password: "Another-Horse-8" } }),
  },
  {
    reason: "PASSWORD_CHANGED",
    name: "SetPassword with the current one, in another session",
    act: async (stage, { person }) => {
      const other = await stage.signedIn(person);
      const newPassword = { password: "Another-Horse-8" };
      await stage.as(other.token)(user.setPassword, {
        userId: person.id,
        newPassword,
        currentPassword: PASSWORD,
      });
      const { session: kept } = await stage.owner(session.getSession, { sessionId: other.id });
      stage.expect(kept, "the session that made the change").not.toHaveProperty("factors.password");
      return person.id;
    },
  },
  {
    reason: "PASSWORD_CHANGED",
    name: "SetPassword with a code",
    act: async (stage, { person }) => {
      const { verificationCode } = await stage.owner(user.passwordReset, {
        userId: person.id,
        returnCode: {},
      });
      const newPassword = { password: "Another-Horse-8" };
      await stage.owner(user.setPassword, {
        userId: person.id,
        newPassword,
        verificationCode: verificationCode!,
      });
      return undefined;
    },
  },
  {
    reason: "PASSWORD_CHANGED",
    name: "UpdateHumanUser",
    act: ownersAct("updateHumanUser", { password: { password: { password: "Another-Horse-8" } } }),
  },
  {
    reason: "FACTOR_REMOVED",
    name: "RemoveTOTP",
    arrange: async (stage) => {
      const person = await stage.newPerson({ totpSecret: SECRET });
      const code = new TOTP({ secret: SECRET }).generate();
      return stage.signedIn(person, { checks: { totp: { code } } });
    },
    act: ownersAct("removeTOTP"),
  },
  {
    reason: "FACTOR_REMOVED",
    name: "RemoveOTPSMS",
    arrange: async (stage) => signedInBySms(stage),
    act: ownersAct("removeOTPSMS"),
  },
  {
    reason: "FACTOR_REMOVED",
    name: "RemovePhone",
    arrange: async (stage) => signedInBySms(stage),
    act: ownersAct("removePhone"),
  },
  {
    reason: "FACTOR_REMOVED",
    name: "RemoveOTPEmail",
    arrange: async (stage) => {
      const person = await stage.newPerson();
      await stage.owner(user.addOTPEmail, { userId: person.id });
      return withSecondFactor(stage, person, { otpEmail: { returnCode: {} } }, ({ otpEmail }) => ({
        otpEmail: { code: otpEmail! },
      }));
    },
    act: ownersAct("removeOTPEmail"),
  },
  {
    reason: "FACTOR_REMOVED",
    name: "RemoveU2F",
    arrange: async (stage) => {
      const person = await stage.newPerson();
      const device = new Authenticator({ origin: "https://login.acme.example" });
      const begun = await stage.owner(user.registerU2F, { userId: person.id, domain: "acme.example" });
      await stage.owner(user.verifyU2FRegistration, {
        userId: person.id,
        u2fId: begun.u2fId!,
        publicKeyCredential: device.create(begun.publicKeyCredentialCreationOptions),
        tokenName: "Key",
      });
      const webAuthN = {
        domain: "acme.example",
        userVerificationRequirement: "USER_VERIFICATION_REQUIREMENT_DISCOURAGED",
      };
      const signed = await withSecondFactor(stage, person, { webAuthN }, (challenges) => {
        const { publicKeyCredentialRequestOptions: options } = challenges.webAuthN as JsonObject;
        return { webAuthN: { credentialAssertionData: device.get(options) } };
      });
      return { ...signed, removes: { u2fId: begun.u2fId! } };
    },
    act: (stage, victim) => ownersAct("removeU2F", victim.removes)(stage, victim),
  },
  {
    reason: "FACTOR_REMOVED",
    name: "RemovePasskey",
    arrange: async (stage) => {
      const person = await stage.newPerson();
      const device = new Authenticator({ origin: "https://login.acme.example" });
      const begun = await stage.owner(user.registerPasskey, { userId: person.id, domain: "acme.example" });
      await stage.owner(user.verifyPasskeyRegistration, {
        userId: person.id,
        passkeyId: begun.passkeyId!,
        publicKeyCredential: device.create(begun.publicKeyCredentialCreationOptions),
        passkeyName: "Phone",
      });
      return { ...(await stage.signedIn(person)), removes: { passkeyId: begun.passkeyId! } };
    },
    act: (stage, victim) => ownersAct("removePasskey", victim.removes)(stage, victim),
  },
  {
    reason: "FACTOR_REMOVED",
    name: "RemoveRecoveryCodes",
    arrange: async (stage) => {
      const person = await stage.newPerson();
      await stage.owner(user.generateRecoveryCodes, { userId: person.id, count: 2 });
      return stage.signedIn(person);
    },
    act: ownersAct("removeRecoveryCodes"),
  },
  {
    reason: "FACTOR_REMOVED",
    name: "RemoveIDPLink",
    arrange: async (stage) => {
      const person = await stage.newPerson();
      const { id: idpId } = await stage.owner(AdminService.method.addGenericOIDCProvider, {
        name: "Elsewhere",
        issuer: "https://elsewhere.example",
        clientId: "gatehouse",
        clientSecret: "not told",
      });
      const linkedUserId = `elsewhere-${person.id}`;
      await stage.owner(user.addIDPLink, {
        userId: person.id,
        idpLink: { idpId: idpId!, userId: linkedUserId, userName: "ann" },
      });
      return { ...(await stage.signedIn(person)), removes: { idpId: idpId!, linkedUserId } };
    },
    act: (stage, victim) => ownersAct("removeIDPLink", victim.removes)(stage, victim),
  },
  {
    reason: "ENDED_BY_FILTER",
    name: "EndSessions",
    act: async (stage, { id, person }) => {
      const filter = { userIds: [person.id], factorsPresent: ["FACTOR_PASSWORD"] };
      const preview = await stage.owner(control.searchSessions, { filter });
      stage
        .expect((preview.sessions as JsonObject[]).map((found) => (found.session as JsonObject).id))
        .toEqual([id]);
      const { matched } = await stage.owner(control.endSessions, { filter, dryRun: true });
      stage.expect(matched).toBe("1");
      const { operation } = await stage.owner(control.endSessions, { filter });
      stage.expect((operation as JsonObject).actorId).toBe(stage.cast.owner.id);
      return undefined;
    },
  },
  {
    reason: "ENDED_BY_FILTER",
    name: "EndUserSessions on oneself",
    act: async (stage, { token, person }) => {
      await stage.as(token)(control.endUserSessions, { userId: person.id });
      return person.id;
    },
  },
  {
    reason: "ENDED_BY_FILTER",
    name: "EndOtherSessions",
    act: async (stage, { person }) => {
      const other = await stage.signedIn(person);
      await stage.as(other.token)(control.endOtherSessions);
      await stage.as(other.token)(session.getSession, { sessionId: other.id });
      return person.id;
    },
  },
  {
    reason: "REPLACED",
    name: "CreateSession over the limit",
    arrange: async (stage) =>
      stage.signedIn(await stage.newPerson({ organizationId: stage.cast.elsewhere.id })),
    act: async (stage, { person }) => {
      await stage.signedIn(person);
      return undefined;
    },
  },
  {
    reason: "REPLACED",
    name: "SetSession with a user, over the limit",
    arrange: async (stage) =>
      stage.signedIn(await stage.newPerson({ organizationId: stage.cast.elsewhere.id })),
    act: async (stage, { person }) => {
      const { sessionId } = await stage.owner(session.createSession);
      await stage.owner(session.setSession, { sessionId: sessionId!, checks: stage.password(person) });
      return undefined;
    },
  },
  {
    reason: "ORGANIZATION_REMOVED",
    name: "DeleteOrganization",
    arrange: async (stage) => {
      const { organizationId } = await stage.owner(OrganizationService.method.addOrganization, {
        name: `short-lived ${crypto.randomUUID()}`,
      });
      return stage.signedIn(await stage.newPerson({ organizationId: organizationId as string }));
    },
    act: async (stage, { person }) => {
      const { organizationId } = person;
      await stage.owner(OrganizationService.method.deleteOrganization, { organizationId });
      return undefined;
    },
  },
];

async function signedInBySms(stage: Stage): Promise<Signed> {
  const person = await stage.newPerson(verifiedPhone);
  await stage.owner(user.addOTPSMS, { userId: person.id });
  return withSecondFactor(stage, person, { otpSms: { returnCode: true } }, ({ otpSms }) => ({
    otpSms: { code: otpSms! },
  }));
}
