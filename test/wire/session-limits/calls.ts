import type { DescMethod, DescService, JsonObject } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { SessionControlService } from "../../../src/gen/gatehouse/session/v1/session_control_service_pb.js";
import { SessionSettingsService } from "../../../src/gen/gatehouse/session/v1/session_settings_service_pb.js";
import { SessionService } from "../../../src/gen/zitadel/session/v2/session_service_pb.js";
import { type AnyCall, anyCall } from "../../support/any-method.ts";
import type { Protocol } from "../protocols.ts";

const methodOf = ({ methods, typeName }: DescService, name: string): DescMethod => {
  const found = methods.find((method) => method.name === name);
  if (found === undefined) throw new Error(`${typeName} has no ${name}`);
  return found;
};

/** Asks a method of one service by its name, in JSON. @throws ConnectError on every protocol */
export type Ask = (name: string, request?: JsonObject) => Promise<JsonObject>;

const asking =
  (service: DescService, call: AnyCall): Ask =>
  (name, request) =>
    call(methodOf(service, name), request);

export type Calls = { settings: Ask; control: Ask; sessions: Ask };

/** The services that say how long sessions live and how many there are, as one caller. */
export function callsOf(
  { url }: { readonly url: string },
  token: string | undefined,
  protocol: Protocol = "gRPC",
): Calls {
  const call = anyCall(url, token, protocol);
  return {
    settings: asking(SessionSettingsService, call),
    control: asking(SessionControlService, call),
    sessions: asking(SessionService, call),
  };
}

/** "ok", or what the call was refused with, in the server's own words. */
export function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "ok",
    (error) => ConnectError.from(error).message,
  );
}
