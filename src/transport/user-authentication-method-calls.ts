import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { type AuthFactorSchema, AuthFactorState } from "../gen/zitadel/user/v2/user_pb.js";
import {
  AuthenticationMethodType,
  AuthFactors,
  type ListAuthenticationFactorsRequest,
  type UserService,
} from "../gen/zitadel/user/v2/user_service_pb.js";
import {
  type AuthenticationMethod,
  type ListSecondFactors,
  listAuthenticationMethods,
  listSecondFactors,
  type SecondFactor,
  type SecondFactorState,
} from "../user/authentication-methods.ts";
import type { UserDependencies } from "../user/dependencies.ts";
import { toListDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";

/** What a user could sign in with. */
export const userAuthenticationMethodCalls = (dependencies: UserDependencies) =>
  ({
    async listAuthenticationMethodTypes({ userId, domainQuery: domain }, context) {
      const methods = await listAuthenticationMethods(dependencies, callerOf(context), { userId, domain });
      return {
        details: toListDetails(methods.length, dependencies.clock()),
        authMethodTypes: methods.map((method) => methodTypes[method]),
      };
    },
    async listAuthenticationFactors(request, context) {
      const query = fromListAuthenticationFactors(request);
      const factors = await listSecondFactors(dependencies, callerOf(context), query);
      return { result: factors.map(toAuthFactor) };
    },
  }) satisfies Partial<ServiceImpl<typeof UserService>>;

const methodTypes: { readonly [method in AuthenticationMethod]: AuthenticationMethodType } = {
  password: AuthenticationMethodType.PASSWORD,
  passkey: AuthenticationMethodType.PASSKEY,
  idp: AuthenticationMethodType.IDP,
  totp: AuthenticationMethodType.TOTP,
  u2f: AuthenticationMethodType.U2F,
  otpSms: AuthenticationMethodType.OTP_SMS,
  otpEmail: AuthenticationMethodType.OTP_EMAIL,
  recoveryCode: AuthenticationMethodType.RECOVERY_CODE,
};

const types: { readonly [factor in AuthFactors]: SecondFactor["type"] } = {
  [AuthFactors.OTP]: "totp",
  [AuthFactors.OTP_SMS]: "otpSms",
  [AuthFactors.OTP_EMAIL]: "otpEmail",
  [AuthFactors.U2F]: "u2f",
};

/** A factor that was removed is gone: no factor is in the states that are missing here. */
const states: { readonly [state: number]: SecondFactorState } = {
  [AuthFactorState.NOT_READY]: "notReady",
  [AuthFactorState.READY]: "ready",
};

function fromListAuthenticationFactors(request: ListAuthenticationFactorsRequest): ListSecondFactors {
  const { userId, authFactors } = request;
  return {
    userId,
    types: authFactors.length === 0 ? undefined : authFactors.map((factor) => types[factor]),
    states:
      request.states.length === 0
        ? undefined
        : request.states.map((state) => states[state]).filter((state) => state !== undefined),
  };
}

function toAuthFactor(factor: SecondFactor): MessageInitShape<typeof AuthFactorSchema> {
  const state = factor.state === "ready" ? AuthFactorState.READY : AuthFactorState.NOT_READY;
  return factor.type === "u2f"
    ? { state, type: { case: "u2f", value: { id: factor.id, name: factor.name } } }
    : { state, type: { case: cases[factor.type], value: {} } };
}

const cases = { totp: "otp", otpSms: "otpSms", otpEmail: "otpEmail" } as const;
