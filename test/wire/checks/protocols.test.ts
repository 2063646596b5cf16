import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { type SessionMethod, wireClients } from "../../support/clients.ts";
import { type Desk, newCustomer, shown, startDesk, wrong } from "./desk.ts";

/** Every client there is, by our own contract: the one others generated has no recovery codes yet. */
const clients = wireClients({ service: SessionService, rest: "/v2/sessions" });

describe("codes over", () => {
  let desk: Desk;
  beforeAll(async () => {
    desk = await startDesk("pglite");
  });
  afterAll(() => desk.close());

  test.each(clients.map((client) => [client.name, client] as const))(
    "%s: challenges return them, checks take them, and refusals say why",
    async (_, client) => {
      const customer = await newCustomer(desk);
      const endpoint = { url: desk.url, authorization: `Bearer ${desk.cast.loginClient.token}` };
      const send = (method: SessionMethod, request: JsonObject) => client.send(endpoint, method, request);
      const created = await send("CreateSession", {
        checks: { user: { userId: customer.id } },
        challenges: { otpSms: { returnCode: true }, otpEmail: { returnCode: {} } },
      });
      expect(created.code).toBe(0);
      const { sessionId, challenges } = created.response as {
        sessionId: string;
        challenges: { otpSms: string; otpEmail: string };
      };
      expect(challenges).toEqual({
        otpSms: expect.stringMatching(/^\d{8}$/),
        otpEmail: expect.stringMatching(/^\d{8}$/),
      });

      const guess = { totp: { code: wrong(shown(desk, customer.app)) } };
      expect(await send("SetSession", { sessionId, checks: guess })).toMatchObject({
        code: Code.InvalidArgument,
        message: "code is invalid (EVENT-8isk2)",
        details: [
          {
            "@type": "type.googleapis.com/zitadel.v1.ErrorDetail",
            id: "EVENT-8isk2",
            message: "code is invalid",
          },
        ],
      });

      const checks = {
        totp: { code: shown(desk, customer.app) },
        otpSms: { code: challenges.otpSms },
        otpEmail: { code: challenges.otpEmail },
        recoveryCode: { code: customer.recoveryCodes[0]! },
      };
      const answered = await send("SetSession", { sessionId, checks });
      // Four facts and a token, after the five events of the creation.
      expect(answered.response?.details).toMatchObject({ sequence: "10" });
      const { response } = await send("GetSession", { sessionId });
      const { factors } = response!.session as { factors: JsonObject };
      expect(Object.keys(factors).sort()).toEqual(["otpEmail", "otpSms", "recoveryCode", "totp", "user"]);
      const { verifiedAt } = factors.recoveryCode as { verifiedAt: string };
      expect(new Date(verifiedAt)).toEqual(desk.now);
    },
  );
});
