import { randomBytes } from "node:crypto";
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { CreateSessionRequestSchema } from "../src/gen/zitadel/session/v2/session_service_pb.js";
import {
  AddHumanUserRequestSchema,
  AddHumanUserResponseSchema,
} from "../src/gen/zitadel/user/v2/user_service_pb.js";
import type { Target } from "./api.ts";
import { answerCalls } from "./child.ts";
import { openLeanHttp2 } from "./lean-http2.ts";
import { encodeGrpcCall, messageOf } from "./wire.ts";

/** People who sign in with their passwords, over and over. A process of its own beside the load generator. */
export type PasswordChecks = {
  addPeople(order: Target & { count: number }): Promise<string[]>;
  /** Everybody signs in again as soon as they are in, until told to stop. */
  start(order: Target & { userIds: readonly string[] }): Promise<void>;
  /** @returns sign-ins per second since the start; waits for those on their way */
  stop(nothing: undefined): Promise<number>;
};

const password = "Correct-Horse-1";

let running = { stopped: true, signIns: 0, startedAt: 0, everybody: Promise.resolve() };

const checks: PasswordChecks = {
  async addPeople({ origin, bearer, count }) {
    const client = openLeanHttp2(origin, count);
    try {
      const added = Array.from({ length: count }, async (_, caller) => {
        const message = encoded(AddHumanUserRequestSchema, {
          profile: { givenName: "Some", familyName: "Body" },
          email: {
            email: `${randomBytes(8).toString("hex")}@example.com`,
            verification: { case: "isVerified", value: true },
          },
          passwordType: { case: "password", value: { password } },
        });
        const answer = await client.send(encodeGrpcCall("AddHumanUser", message, bearer), caller);
        return fromBinary(AddHumanUserResponseSchema, messageOf("gRPC", answer)).userId;
      });
      return await Promise.all(added);
    } finally {
      client.close();
    }
  },

  async start({ origin, bearer, userIds }) {
    const client = openLeanHttp2(origin, userIds.length);
    const run = { stopped: false, signIns: 0, startedAt: performance.now(), everybody: Promise.resolve() };
    const signInForever = async (userId: string, caller: number) => {
      const message = encoded(CreateSessionRequestSchema, {
        checks: { user: { search: { case: "userId", value: userId } }, password: { password } },
      });
      const request = encodeGrpcCall("CreateSession", message, bearer);
      while (!run.stopped) {
        messageOf("gRPC", await client.send(request, caller));
        run.signIns += 1;
      }
    };
    run.everybody = Promise.all(userIds.map(signInForever)).then(() => client.close());
    running = run;
  },

  async stop() {
    running.stopped = true;
    const seconds = (performance.now() - running.startedAt) / 1_000;
    const perSecond = running.signIns / seconds;
    await running.everybody;
    return perSecond;
  },
};

function encoded<S extends DescMessage>(schema: S, message: MessageInitShape<S>): Uint8Array {
  return toBinary(schema, create(schema, message));
}

answerCalls(checks);
