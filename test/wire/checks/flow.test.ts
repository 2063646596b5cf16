import type { JsonObject } from "@bufbuild/protobuf";
import { createClientFor } from "@zitadel/client";
import { createServerTransport } from "@zitadel/client/node";
import { type TOTP, URI } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { engines } from "../../support/databases.ts";
import { newPerson } from "../users/factor-callers.ts";
import { asking } from "../users/wire.ts";
import {
  accepted,
  answer,
  challenged,
  newDevice,
  registerPasskey,
  registerU2F,
  type Site,
  sessions,
  startSite,
} from "../web-authn/site.ts";

describe.each(engines)("a person on %s", (engine) => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite(engine);
  });
  afterAll(() => site.close());

  test("S-021, S-028, S-031, S-032, S-034: who signed in with a passkey sets up every other factor by that session's token, and proves one after the other", async () => {
    const userId = await newPerson(site);
    const device = newDevice();
    await registerPasskey(asking(site, site.cast.owner), { id: userId }, device);
    const call = sessions(site, site.cast.loginClient);
    const { sessionId, options } = await challenged(call, { id: userId }, "REQUIRED");
    const { sessionToken } = await accepted(answer(call, sessionId, device.get(options)));

    const own = asking(site, { token: sessionToken as string }, "Connect");
    await registerU2F(own, { id: userId }, newDevice());
    const { uri } = await own("RegisterTOTP", { userId });
    const app = URI.parse(uri as string) as TOTP;
    await own("VerifyTOTPRegistration", { userId, code: app.generate() });
    await own("AddOTPSMS", { userId });
    await own("AddOTPEmail", { userId });
    await own("RemoveRecoveryCodes", { userId });
    const { recoveryCodes } = (await own("GenerateRecoveryCodes", { userId, count: 5 })) as JsonObject;
    expect(recoveryCodes).toHaveLength(5);
    const { authMethodTypes } = await own("ListAuthenticationMethodTypes", { userId });
    const types = ["PASSWORD", "PASSKEY", "TOTP", "U2F", "OTP_SMS", "OTP_EMAIL", "RECOVERY_CODE"];
    expect([...(authMethodTypes as string[])].sort()).toEqual(
      types.map((type) => `AUTHENTICATION_METHOD_TYPE_${type}`).sort(),
    );

    // The client others generated knows no recovery codes yet.
    const { token } = site.cast.loginClient;
    const client = createClientFor(SessionService)(createServerTransport(token, { baseUrl: site.url }));
    const factors = async () => {
      const { session } = await client.getSession({ sessionId });
      return Object.entries(session!.factors!)
        .filter(([name, factor]) => name !== "$typeName" && factor !== undefined)
        .map(([name]) => name)
        .sort();
    };
    expect(await factors()).toEqual(["user", "webAuthN"]);

    // The step after that of the set-up.
    const totp = { code: app.generate({ timestamp: Date.now() + 30_000 }) };
    await client.setSession({ sessionId, checks: { totp } });
    expect(await factors()).toEqual(["totp", "user", "webAuthN"]);

    const sms = await client.setSession({ sessionId, challenges: { otpSms: { returnCode: true } } });
    expect(sms.challenges!.otpSms).toMatch(/^\d{8}$/);
    await client.setSession({ sessionId, checks: { otpSms: { code: sms.challenges!.otpSms! } } });
    expect(await factors()).toEqual(["otpSms", "totp", "user", "webAuthN"]);

    const returnCode = { deliveryType: { case: "returnCode" as const, value: {} } };
    const email = await client.setSession({ sessionId, challenges: { otpEmail: returnCode } });
    await client.setSession({ sessionId, checks: { otpEmail: { code: email.challenges!.otpEmail! } } });
    expect(await factors()).toEqual(["otpEmail", "otpSms", "totp", "user", "webAuthN"]);

    const [code] = recoveryCodes as [string];
    await client.setSession({ sessionId, checks: { recoveryCode: { code } } });
    expect(await factors()).toEqual(["otpEmail", "otpSms", "recoveryCode", "totp", "user", "webAuthN"]);
  });
});
