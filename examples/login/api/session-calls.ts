import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { UserVerificationRequirement } from "../../../src/gen/zitadel/session/v2/challenge_pb.js";
import type { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { type Api, currentSession, isProven } from "./current-session.ts";
import { dropSession, heldSession, keepSession } from "./session-cookie.ts";

const LIFETIME_SECONDS = 60n * 60n;

/**
 * What a browser may do with sessions: open one for a login name, add proofs to its own, read it, end it. Every request
 * to Gatehouse is written here from the few fields the page may fill; tokens stay in the cookie.
 */
export function sessionCalls(api: Api) {
  const { sessions } = api.loginClient;
  return {
    /** The first step. With a password it is checked; without one a passkey is asked for. */
    async createSession({ checks }, context) {
      const search = checks?.user?.search;
      if (search?.case !== "loginName")
        throw new ConnectError("a login name is needed", Code.InvalidArgument);
      const password = checks?.password;
      await endHeldSession(context);
      const created = await sessions
        .createSession({
          checks: { user: { search }, ...(password ? { password } : {}) },
          ...(password ? {} : { challenges: { webAuthN: webAuthN(UserVerificationRequirement.REQUIRED) } }),
          userAgent: { description: context.requestHeader.get("user-agent") ?? "" },
          lifetime: { seconds: LIFETIME_SECONDS },
        })
        .catch((reason) => {
          throw refusedFirstStep(reason, password !== undefined);
        });
      keepSession(context.responseHeader, created);
      return created.challenges ? { challenges: created.challenges } : {};
    },

    /** The answer to a passkey's challenge, or a second factor. */
    async setSession({ checks = {}, challenges }, context) {
      const { held, session } = await currentSession(api, context);
      const { webAuthN: assertion, totp, otpEmail, otpSms, recoveryCode } = checks;
      // A second factor comes second: or anyone could have codes sent to a stranger, and guess at them.
      const isPasskeyAnswer = assertion !== undefined && challenges === undefined;
      if (!isProven(session) && !isPasskeyAnswer) {
        throw new ConnectError("first the password or a passkey", Code.FailedPrecondition);
      }
      const changed = await sessions.setSession({
        ...held,
        checks: { webAuthN: assertion, totp, otpEmail, otpSms, recoveryCode },
        challenges: {
          ...(challenges?.webAuthN ? { webAuthN: webAuthN(UserVerificationRequirement.DISCOURAGED) } : {}),
          ...(challenges?.otpEmail ? { otpEmail: { deliveryType: { case: "returnCode", value: {} } } } : {}),
          ...(challenges?.otpSms ? { otpSms: { returnCode: true } } : {}),
        },
      });
      // Empty if nothing changed: then the token is what it was.
      if (changed.sessionToken) {
        keepSession(context.responseHeader, { ...held, sessionToken: changed.sessionToken });
      }
      const { loginName = "" } = session.factors?.user ?? {};
      const { otpEmail: mailed, otpSms: texted, webAuthN: asked } = changed.challenges ?? {};
      // Gatehouse sends codes by itself where it has a provider. Here it returns them, and this server delivers them.
      if (mailed) api.deliver(`E-mail to ${loginName}: ${mailed} is your code.`);
      if (texted) api.deliver(`SMS to ${loginName}: ${texted} is your code.`);
      return asked ? { challenges: { webAuthN: asked } } : {};
    },

    async getSession(_, context) {
      const { session } = await currentSession(api, context);
      return { session };
    },

    async deleteSession(_, context) {
      const { held } = await currentSession(api, context);
      const { details } = await sessions.deleteSession(held);
      dropSession(context.responseHeader);
      return details ? { details } : {};
    },
  } satisfies Partial<ServiceImpl<typeof SessionService>>;

  function webAuthN(userVerificationRequirement: UserVerificationRequirement) {
    return { domain: api.domain, userVerificationRequirement };
  }

  /** Who starts over leaves no session behind. That it may be over already is no reason to stop. */
  async function endHeldSession({ requestHeader }: HandlerContext): Promise<void> {
    const held = heldSession(requestHeader);
    if (held) await sessions.deleteSession(held).catch(() => {});
  }
}

/** One text for all who cannot sign in, so that it does not tell which login names there are. */
function refusedFirstStep(reason: unknown, withPassword: boolean): unknown {
  const { code } = ConnectError.from(reason);
  const isRefusal = [Code.NotFound, Code.InvalidArgument, Code.FailedPrecondition].includes(code);
  if (!isRefusal) return reason;
  return new ConnectError(
    withPassword
      ? "this login name and password do not sign anybody in"
      : "this login name has no passkey for this page",
    Code.InvalidArgument,
  );
}
