import type { JsonObject } from "@bufbuild/protobuf";
import { expect } from "vitest";
import type { Engine } from "../../support/databases.ts";
import { type Cast, type House, type HouseOptions, startHouse } from "../../support/fixtures.ts";
import {
  type Account,
  type OpenIdProvider,
  startOpenIdProvider,
  walkThrough,
} from "../../support/openid-provider.ts";
import type { Protocol } from "../protocols.ts";
import { type Ask, asking, type ServiceName } from "../settings/wire.ts";

/** Where the walk's starter wants the browser. */
export const SUCCESS_URL = "https://app.example.com/signed-in?keep=1";
export const FAILURE_URL = "https://app.example.com/failed#top";

export const CLIENT_SECRET = "the secret of the client at the provider";

/** Somebody at the provider; the OAuth 2.0 profile has the id as a number. */
export const account = (login: string, number: number, claims: Record<string, unknown> = {}): Account => ({
  login,
  password: `${login} at the provider`,
  claims: {
    name: `${login} Outside`,
    given_name: login,
    family_name: "Outside",
    preferred_username: `${login}.outside`,
    email: `${login}@outside.example`,
    email_verified: true,
    ...claims,
  },
  profile: { id: number, login, name: `${login} Outside`, email: `${login}@outside.example` },
});

export const ada = account("ada", 1815);
export const grace = account("grace", 1906);
export const accounts = [ada, grace];

export type Arrived = { location: URL; parameters: Record<string, string> };

/** A server, a provider, and what it takes to walk from the one to the other and back. */
export type Walkway = {
  house: House;
  cast: Cast;
  provider: OpenIdProvider;
  /** As whom, which service, over what. */
  as(caller: { token: string } | undefined, service: ServiceName, protocol?: Protocol): Ask;
  /** Adds the provider to the instance. @returns its id */
  addOidc(changes?: JsonObject): Promise<string>;
  addOAuth(changes?: JsonObject): Promise<string>;
  /** @returns where to send the browser */
  start(idpId: string): Promise<string>;
  /** What a browser's request to the callback is answered. */
  callback(url: URL | string, form?: URLSearchParams): Promise<Response>;
  /** Signs in at the provider and comes back. */
  walk(idpId: string, who?: Account, options?: { deny: boolean }): Promise<Arrived>;
  /** The same to a good end. */
  succeed(idpId: string, who?: Account): Promise<{ id: string; token: string; user?: string }>;
  link(userId: string, idpId: string, externalUserId: string): Promise<JsonObject>;
  close(): Promise<void>;
};

export async function openWalkway(engine: Engine, options: HouseOptions = {}): Promise<Walkway> {
  const house = await startHouse(engine, options);
  const { cast } = house;
  const client = { id: "gatehouse", secret: CLIENT_SECRET, redirectUris: [`${house.url}/idps/callback`] };
  const provider = await startOpenIdProvider({ accounts, clients: [client] });
  const as: Walkway["as"] = (caller, service, protocol) => asking(house, service, caller, protocol);
  const common = { name: "Outside", clientId: client.id, clientSecret: client.secret };

  const callback: Walkway["callback"] = (url, form) =>
    fetch(url, { redirect: "manual", ...(form ? { method: "POST", body: form } : {}) });
  const start = async (idpId: string) => {
    const urls = { successUrl: SUCCESS_URL, failureUrl: FAILURE_URL };
    const { authUrl } = await as(cast.nobody, "user")("StartIdentityProviderIntent", { idpId, urls });
    return authUrl as string;
  };
  const walk: Walkway["walk"] = async (idpId, who = ada, walked) => {
    const back = await walkThrough(await start(idpId), who, walked);
    return arrivedAt(await callback(back.url, back.form));
  };
  return {
    house,
    cast,
    provider,
    as,
    callback,
    start,
    walk,
    addOidc: async (changes = {}) => {
      const request = { ...common, issuer: provider.issuer, ...changes };
      return (await as(cast.owner, "admin")("AddGenericOIDCProvider", request)).id as string;
    },
    addOAuth: async (changes = {}) => {
      const { authorization, token, user } = provider.endpoints;
      const endpoints = { authorizationEndpoint: authorization, tokenEndpoint: token, userEndpoint: user };
      const request = { ...common, ...endpoints, scopes: ["read_user"], idAttribute: "id", ...changes };
      return (await as(cast.owner, "admin")("AddGenericOAuthProvider", request)).id as string;
    },
    succeed: async (idpId, who) => {
      const { location, parameters } = await walk(idpId, who);
      expect(location.origin + location.pathname).toBe("https://app.example.com/signed-in");
      return parameters as { id: string; token: string };
    },
    link: (userId, idpId, externalUserId) =>
      as(cast.owner, "user")("AddIDPLink", {
        userId,
        idpLink: { idpId, userId: externalUserId, userName: "outside" },
      }),
    close: async () => {
      await provider.close();
      await house.close();
    },
  };
}

/** Where an answer of the callback sends the browser. */
export function arrivedAt(response: Response): Arrived {
  expect(response.status).toBe(302);
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("referrer-policy")).toBe("no-referrer");
  const location = new URL(response.headers.get("location")!);
  return { location, parameters: Object.fromEntries(location.searchParams) };
}
