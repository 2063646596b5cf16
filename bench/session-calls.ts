import { create, type DescMessage, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import {
  CreateSessionRequestSchema,
  SetSessionRequestSchema,
} from "../src/gen/zitadel/session/v2/session_service_pb.js";
import { encodeRpc, type Request } from "./wire.ts";

/** CreateSession (Connect JSON) with a check of the user and, if it is given, of the password. */
export function encodeSignIn(userId: string, password: string | undefined, bearer: string): Request {
  return encode("CreateSession", CreateSessionRequestSchema, bearer, {
    checks: {
      user: { search: { case: "userId", value: userId } },
      ...(password === undefined ? {} : { password: { password } }),
    },
    userAgent: { ip: "192.0.2.7", description: "Firefox 140 on Linux" },
  });
}

/** SetSession (Connect JSON) that changes an entry of the metadata. */
export function encodeSetMetadata(sessionId: string, value: string, bearer: string): Request {
  return encode("SetSession", SetSessionRequestSchema, bearer, {
    sessionId,
    metadata: { place: Buffer.from(value) },
  });
}

function encode<S extends DescMessage>(
  rpc: string,
  schema: S,
  bearer: string,
  message: MessageInitShape<S>,
): Request {
  return encodeRpc("Connect JSON", rpc, Buffer.from(toJsonString(schema, create(schema, message))), bearer);
}
